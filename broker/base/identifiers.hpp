#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.hpp"

/// Identifiers as checked values: one that is wrong cannot be constructed. Error texts never repeat the
/// input.
namespace carehub {

template <class Derived>
class CheckedText {
 public:
  const std::string& text() const { return text_; }
  friend bool operator==(const CheckedText&, const CheckedText&) = default;

 private:
  friend Derived;
  explicit CheckedText(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

/// The tenth digit of an NHS number that begins with these nine (NHS Data Dictionary NHS NUMBER: weights 10
/// to 2, modulus 11); nullopt where it would be 10, which is never issued.
std::optional<char> nhs_check_digit(std::string_view nine);

/// NHS Data Dictionary NHS NUMBER: 10 digits with a modulus 11 check digit. Spaces and hyphens are dropped.
class NhsNumber : public CheckedText<NhsNumber> {
 public:
  static Result<NhsNumber> parse(std::string_view text);

 private:
  using CheckedText::CheckedText;
};

/// DfE unique pupil number: a check letter and 12 characters, digits but for the last of a temporary one, a
/// letter.
class Upn : public CheckedText<Upn> {
 public:
  static Result<Upn> parse(std::string_view text);
  bool temporary() const;

 private:
  using CheckedText::CheckedText;
};

/// NHS Organisation Data Service code: 3 to 10 upper-case letters and digits.
class OdsCode : public CheckedText<OdsCode> {
 public:
  static Result<OdsCode> parse(std::string_view text);

 private:
  using CheckedText::CheckedText;
};

/// DfE unique reference number of a school: 6 digits, the first not 0.
class Urn : public CheckedText<Urn> {
 public:
  static Result<Urn> parse(std::string_view text);

 private:
  using CheckedText::CheckedText;
};

/// DfE number of a school: 3-digit authority and 4-digit establishment; a slash between them is dropped.
class Laestab : public CheckedText<Laestab> {
 public:
  static Result<Laestab> parse(std::string_view text);

 private:
  using CheckedText::CheckedText;
};

/// ONS GSS code of an area: a letter (E, W, S, N, K, J, L, M) and 8 digits.
class GssCode : public CheckedText<GssCode> {
 public:
  static Result<GssCode> parse(std::string_view text);

 private:
  using CheckedText::CheckedText;
};

}  // namespace carehub
