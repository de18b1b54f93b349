#include "broker/app/exit_code.hpp"

namespace carehub::app {

ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
    case ErrorKind::conflict: return ExitCode::wrong_input;
    case ErrorKind::overloaded:
    case ErrorKind::unavailable: return ExitCode::unavailable;
    case ErrorKind::not_found: return ExitCode::not_found;
    case ErrorKind::corrupt: return ExitCode::corrupt;
    case ErrorKind::denied: return ExitCode::denied;
  }
  return ExitCode::wrong_input;
}

}  // namespace carehub::app
