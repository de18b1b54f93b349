#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace carehub {

/// What the caller does about an error.
enum class ErrorKind : std::uint8_t {
  invalid = 1,  // the input is wrong: do not retry
  conflict,     // it contradicts what is already there: do not retry
  overloaded,   // try again later
  unavailable,  // reconnect or wait for the other side
  not_found,
  corrupt,  // stop, page a human
  denied,   // not permitted: do not retry
};

/// `text` names the thing, the place and the remedy; it never holds a payload or personal data.
struct Error {
  ErrorKind kind = ErrorKind::invalid;
  std::string text;
};

/// A value or an Error. No exception crosses a room.
template <class T>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return tl::unexpected<Error>(Error{kind, std::move(text)});
}

const char* to_string(ErrorKind kind);

}  // namespace carehub
