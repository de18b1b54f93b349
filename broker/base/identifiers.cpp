#include "broker/base/identifiers.hpp"

#include <algorithm>

namespace carehub {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool all_digits(std::string_view text) { return std::ranges::all_of(text, is_digit); }

/// A-Z without I, O and S, which are taken for 1, 0 and 5.
constexpr std::string_view kUpnLetters = "ABCDEFGHJKLMNPQRTUVWXYZ";

}  // namespace

std::optional<char> nhs_check_digit(std::string_view nine) {
  int sum = 0;
  for (std::size_t at = 0; at < nine.size(); ++at) sum += (nine[at] - '0') * (10 - static_cast<int>(at));
  const int check = (11 - sum % 11) % 11;
  return check == 10 ? std::nullopt : std::optional(static_cast<char>('0' + check));
}

Result<NhsNumber> NhsNumber::parse(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '-') continue;
    if (!is_digit(c) || digits.size() == 10) {
      return fail(ErrorKind::invalid,
                  "an NHS number has 10 digits and nothing else. Correct it at its source.");
    }
    digits.push_back(c);
  }
  if (digits.size() != 10) {
    return fail(ErrorKind::invalid,
                "an NHS number has 10 digits and nothing else. Correct it at its source.");
  }
  if (nhs_check_digit(std::string_view(digits).substr(0, 9)) != digits[9]) {
    return fail(ErrorKind::invalid, "the NHS number's check digit is wrong. Correct it at its source.");
  }
  // Ten equal digits pass modulus 11; they are a form's filler, and would make one person out of many.
  if (digits.find_first_not_of(digits.front()) == std::string::npos) {
    return fail(ErrorKind::invalid,
                "the NHS number is ten equal digits, which is never issued. Leave it out.");
  }
  return NhsNumber(std::move(digits));
}

Result<Upn> Upn::parse(std::string_view text) {
  const auto bad_shape = [] {
    return fail(ErrorKind::invalid,
                "a UPN has 13 characters: a check letter, 11 digits, and a digit or (temporary) a letter. "
                "Correct it at "
                "its source.");
  };
  if (text.size() != 13) return bad_shape();
  const auto check = kUpnLetters.find(text.front());
  if (check == std::string_view::npos || !all_digits(text.substr(1, 11))) return bad_shape();
  const auto last =
      is_digit(text.back()) ? static_cast<std::size_t>(text.back() - '0') : kUpnLetters.find(text.back());
  if (last == std::string_view::npos) return bad_shape();
  std::size_t sum = last * 13;
  for (std::size_t i = 1; i < 12; ++i) sum += static_cast<std::size_t>(text[i] - '0') * (i + 1);
  if (sum % 23 != check) {
    return fail(ErrorKind::invalid, "the UPN's check letter is wrong. Correct it at its source.");
  }
  return Upn(std::string(text));
}

bool Upn::temporary() const { return is_capital(text().back()); }

Result<OdsCode> OdsCode::parse(std::string_view text) {
  const auto fits = [](char c) { return is_digit(c) || is_capital(c); };
  if (text.size() < 3 || text.size() > 10 || !std::ranges::all_of(text, fits)) {
    return fail(ErrorKind::invalid,
                "an ODS code has 3 to 10 upper-case letters and digits. Correct it at its source.");
  }
  return OdsCode(std::string(text));
}

Result<Urn> Urn::parse(std::string_view text) {
  if (text.size() != 6 || !all_digits(text) || text.front() == '0') {
    return fail(ErrorKind::invalid,
                "a school's URN has 6 digits, the first not 0. Correct it at its source.");
  }
  return Urn(std::string(text));
}

Result<Laestab> Laestab::parse(std::string_view text) {
  std::string digits(text);
  if (digits.size() == 8 && digits[3] == '/') digits.erase(3, 1);
  if (digits.size() != 7 || !all_digits(digits)) {
    return fail(
        ErrorKind::invalid,
        "a LAESTAB has 3 digits of the authority and 4 of the establishment. Correct it at its source.");
  }
  return Laestab(std::move(digits));
}

Result<GssCode> GssCode::parse(std::string_view text) {
  static constexpr std::string_view kCountries = "EWSNKJLM";
  if (text.size() != 9 || kCountries.find(text.front()) == std::string_view::npos ||
      !all_digits(text.substr(1))) {
    return fail(ErrorKind::invalid,
                "a GSS code has a letter (E, W, S, N, K, J, L or M) and 8 digits. Correct it at its source.");
  }
  return GssCode(std::string(text));
}

}  // namespace carehub
