#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "broker/base/event_builder.hpp"

namespace carehub::fakes {

/// An event out of paths and canonical values, over a valid envelope: type unknown, from elwick-hospital.
/// Throws on a path or value that event.fbs does not have: the test is wrong.
inline Bytes event_of(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  EventBuilder builder;
  const auto set = [&builder](std::string_view path_text, std::string_view value) {
    const auto path = FieldPath::parse(path_text);
    if (!path) throw std::logic_error(path.error().text);
    if (const auto done = builder.set(*path, value); !done) {
      throw std::logic_error(std::string(path_text) + ": " + done.error().text);
    }
  };
  set("id", "00000000-0000-4000-8000-000000000001");
  set("source_agency", "elwick-hospital");
  for (const auto& [path, value] : fields) set(path, value);
  auto bytes = builder.finish();
  if (!bytes) throw std::logic_error(bytes.error().text);
  return std::move(*bytes);
}

}  // namespace carehub::fakes
