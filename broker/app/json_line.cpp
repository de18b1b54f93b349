#include "broker/app/json_line.hpp"

#include "adapters/formats/json.hpp"

namespace carehub::app {

using adapters::json::quoted;

void JsonLine::begin(std::string_view name) {
  if (text_.size() > 1) text_ += ',';
  text_ += quoted(name);
  text_ += ':';
}

JsonLine& JsonLine::add(std::string_view name, std::string_view text) { return add_json(name, quoted(text)); }

JsonLine& JsonLine::add(std::string_view name, std::uint64_t number) {
  return add_json(name, std::to_string(number));
}

JsonLine& JsonLine::add_flag(std::string_view name, bool value) {
  return add_json(name, value ? "true" : "false");
}

JsonLine& JsonLine::add_json(std::string_view name, std::string_view json) {
  begin(name);
  text_ += json;
  return *this;
}

JsonList& JsonList::add(std::string_view text) { return add_json(quoted(text)); }

JsonList& JsonList::add_json(std::string_view json) {
  if (text_.size() > 1) text_ += ',';
  text_ += json;
  return *this;
}

}  // namespace carehub::app
