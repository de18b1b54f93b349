#include "broker/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace carehub {

void assertion_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "carehub: programming error at %s:%d: %s (%s). Report it with this line.\n", file,
               line, message, condition);
  std::abort();
}

}  // namespace carehub
