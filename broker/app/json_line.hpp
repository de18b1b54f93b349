#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"

namespace carehub::app {

/// One JSON object on one line, built in order.
class JsonLine {
 public:
  JsonLine& add(std::string_view name, std::string_view text);
  JsonLine& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }
  JsonLine& add(std::string_view name, std::uint64_t number);
  JsonLine& add_flag(std::string_view name, bool value);
  /// `json` is a finished value.
  JsonLine& add_json(std::string_view name, std::string_view json);
  /// With its ending brace, without a line break.
  std::string text() const { return text_ + "}"; }

 private:
  void begin(std::string_view name);
  std::string text_ = "{";
};

/// A list of finished values.
class JsonList {
 public:
  JsonList& add_json(std::string_view json);
  JsonList& add(std::string_view text);
  std::string text() const { return text_ + "]"; }

 private:
  std::string text_ = "[";
};

}  // namespace carehub::app
