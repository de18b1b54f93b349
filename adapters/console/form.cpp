#include "adapters/console/form.hpp"

#include <charconv>
#include <vector>

namespace carehub::adapters {
namespace {

constexpr std::size_t kFieldsMax = 16;

std::optional<SecretText> decoded(std::string_view text) {
  std::vector<char> clear;
  clear.reserve(text.size());  // never grows: what it grew out of would not be wiped
  bool good = true;
  for (std::size_t at = 0; at < text.size() && good; ++at) {
    if (text[at] != '%') {
      clear.push_back(text[at] == '+' ? ' ' : text[at]);
      continue;
    }
    std::uint8_t value = 0;
    const auto digits = text.substr(at + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    good = error == std::errc{} && digits.size() == 2 && end == digits.data() + 2;
    clear.push_back(static_cast<char>(value));
    at += 2;
  }
  SecretText secret(std::move(clear));
  if (!good) return std::nullopt;
  return secret;
}

}  // namespace

std::optional<Form> read_form(BytesView body) {
  Form form;
  std::string_view rest = text_of(body);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || form.size() >= kFieldsMax) return std::nullopt;
    auto value = decoded(pair.substr(equals + 1));
    if (!value || !form.try_emplace(std::string(pair.substr(0, equals)), std::move(*value)).second)
      return std::nullopt;
  }
  return form;
}

std::string cookie_of(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view pair = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(header.size(), pair.size() + 1));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return std::string(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace carehub::adapters
