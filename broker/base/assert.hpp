#pragma once

/// Programmer errors stop the program, in release too. Operating errors are Results.
namespace carehub {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line, const char* message);

}  // namespace carehub

/// `message` says what the caller has to keep; it is a literal, so it cannot hold data.
#define CAREHUB_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0)      \
               : ::carehub::assertion_failed(#condition, __FILE__, __LINE__, "" message))
