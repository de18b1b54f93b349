#include "broker/core/agencies_text.hpp"

#include <algorithm>
#include <array>

#include "broker/base/config_reader.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::core {
namespace {

constexpr const char* kOpening = "# The agencies of the hub's configuration\n";

/// A TOML basic string (TOML 1.0).
std::string toml_text(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      out += '\\';
      out += each;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0x0FU];
    } else {
      out += each;
    }
  }
  return out + "\"";
}

void add_list(std::string& text, const char* key, std::vector<std::string> values) {
  if (values.empty()) return;
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  text += std::string(key) + " = [";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + toml_text(values[i]);
  text += "]\n";
}

}  // namespace

std::string agencies_text(const std::vector<Agency>& agencies) {
  std::vector<const Agency*> sorted;
  for (const auto& agency : agencies) sorted.push_back(&agency);
  std::ranges::sort(sorted, {}, &Agency::id);
  std::string text = kOpening;
  for (const auto* agency : sorted) {
    text += "\n[[agency]]\nid = " + toml_text(agency->id) + "\n";
    if (!agency->kind.empty()) text += "kind = " + toml_text(agency->kind) + "\n";
    add_list(text, "codes", agency->codes);
    std::vector<std::string> types;
    for (const auto type : agency->may_publish) types.emplace_back(event::EnumNameEventType(type));
    add_list(text, "may_publish", std::move(types));
    add_list(text, "roles", agency->roles);
  }
  return text;
}

Result<std::vector<Agency>> agencies_from(const std::string& text) {
  auto document = ConfigDocument::parse(text, "agencies");
  auto root = document.root();
  std::vector<Agency> agencies;
  for (auto& table : root.tables("agency")) {
    Agency agency;
    agency.id = table.text("id");
    agency.kind = table.optional_text("kind").value_or("");
    agency.codes = table.texts("codes");
    for (const auto& type : table.texts("may_publish")) agency.may_publish.push_back(event_type_from(type));
    agency.roles = table.texts("roles");
    agencies.push_back(std::move(agency));
  }
  if (document.faults().empty()) return agencies;
  return fail(ErrorKind::corrupt, "a recorded configuration does not read: its entry is damaged");
}

}  // namespace carehub::core
