#include "broker/app/csv_line.hpp"

namespace carehub::app {

void CsvLine::begin() {
  if (!first_) text_ += ',';
  first_ = false;
}

CsvLine& CsvLine::add(std::string_view text) {
  begin();
  const bool formula =
      !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
  if (!formula && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    text_ += text;
    return *this;
  }
  text_ += formula ? "\"'" : "\"";
  for (const char c : text) {
    if (c == '"') text_ += '"';
    text_ += c;
  }
  text_ += '"';
  return *this;
}

CsvLine& CsvLine::add(std::uint64_t number) {
  begin();
  text_ += std::to_string(number);
  return *this;
}

}  // namespace carehub::app
