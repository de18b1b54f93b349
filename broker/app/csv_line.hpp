#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace carehub::app {

/// One line of a CSV file, RFC 4180, built cell by cell. A text that a spreadsheet would take for a formula
/// (it begins with = + - @, a tab or a carriage return) gets an apostrophe in front.
class CsvLine {
 public:
  CsvLine& add(std::string_view text);
  CsvLine& add(const char* text) { return add(std::string_view(text)); }
  CsvLine& add(std::uint64_t number);
  /// Without a line break.
  const std::string& text() const { return text_; }

 private:
  void begin();
  std::string text_;
  bool first_ = true;
};

}  // namespace carehub::app
