#include "broker/base/result.hpp"

namespace carehub {

const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid: return "invalid";
    case ErrorKind::conflict: return "conflict";
    case ErrorKind::overloaded: return "overloaded";
    case ErrorKind::unavailable: return "unavailable";
    case ErrorKind::not_found: return "not found";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::denied: return "denied";
  }
  return "unknown";
}

}  // namespace carehub
