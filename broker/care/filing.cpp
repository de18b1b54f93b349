#include "broker/care/filing.hpp"

#include <array>
#include <charconv>

namespace carehub::care {
namespace {

constexpr std::string_view kRecord = "record ";
constexpr std::string_view kDecided = "decided in ";
constexpr std::string_view kAcknowledged = "acknowledged in ";
constexpr std::string_view kGivenUp = "given up in ";
constexpr std::string_view kBetween = ", ";

void add(std::string& text, std::string_view name, std::uint64_t number) {
  if (number == 0) return;
  if (!text.empty()) text += kBetween;
  text.append(name).append(std::to_string(number));
}

std::uint64_t number_behind(std::string_view part, std::string_view name) {
  std::uint64_t number = 0;
  if (part.starts_with(name)) std::from_chars(part.data() + name.size(), part.data() + part.size(), number);
  return number;
}

}  // namespace

std::string to_text(const Filing& filing) {
  std::string text;
  add(text, kRecord, filing.record);
  add(text, kDecided, filing.decided_in);
  add(text, kAcknowledged, filing.acknowledged_in);
  add(text, kGivenUp, filing.given_up_in);
  return text;
}

Filing filing_from(std::string_view text) {
  Filing filing;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(kBetween));
    text.remove_prefix(std::min(text.size(), part.size() + kBetween.size()));
    if (const auto number = number_behind(part, kRecord)) filing.record = number;
    if (const auto number = number_behind(part, kDecided)) filing.decided_in = number;
    if (const auto number = number_behind(part, kAcknowledged)) filing.acknowledged_in = number;
    if (const auto number = number_behind(part, kGivenUp)) filing.given_up_in = number;
  }
  return filing;
}

}  // namespace carehub::care
