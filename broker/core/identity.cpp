#include "broker/core/identity.hpp"

#include "broker/base/identifiers.hpp"

namespace carehub::core {
namespace {

constexpr std::string_view kNhs = "nhs:";
constexpr std::string_view kUpn = "upn:";
constexpr std::string_view kLocal = "local:";

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::vector<std::string> identifier_texts(const event::Event& event) {
  std::vector<std::string> texts;
  const auto* person = event.person();
  if (person == nullptr) return texts;
  if (person->nhs_number() != nullptr &&
      person->nhs_number_status() != event::NhsNumberStatus::mothers_used) {
    auto number = NhsNumber::parse(person->nhs_number()->string_view());
    if (number) texts.push_back(std::string(kNhs) + number->text());
  }
  if (person->upn() != nullptr) {
    auto upn = Upn::parse(person->upn()->string_view());
    if (upn) texts.push_back(std::string(kUpn) + upn->text());
  }
  if (person->local_identifiers() == nullptr) return texts;
  for (const auto* local : *person->local_identifiers()) {
    if (local->value() == nullptr || local->value()->size() == 0) continue;
    const bool issued = local->issuer() != nullptr && local->issuer()->size() > 0;
    const auto* issuer = issued ? local->issuer() : event.source_agency();
    texts.push_back(std::string(kLocal) + issuer->str() + ":" + local->value()->str());
  }
  return texts;
}

Result<std::string> canonical_identifier(std::string_view text) {
  if (starts_with(text, kNhs)) {
    auto number = NhsNumber::parse(text.substr(kNhs.size()));
    if (!number) return tl::unexpected(number.error());
    return std::string(kNhs) + number->text();
  }
  if (starts_with(text, kUpn)) {
    auto upn = Upn::parse(text.substr(kUpn.size()));
    if (!upn) return tl::unexpected(upn.error());
    return std::string(kUpn) + upn->text();
  }
  if (starts_with(text, kLocal) && text.find(':', kLocal.size()) != std::string_view::npos)
    return std::string(text);
  return fail(ErrorKind::invalid, "a person is named as nhs:NUMBER, upn:NUMBER or local:ISSUER:NUMBER");
}

std::string without_issuer(const std::string& text) {
  const auto value = text.substr(text.rfind(':') + 1);
  return NhsNumber::parse(value) ? std::string(kNhs) + value : text;
}

std::optional<PersonKey> unit_key(const storage::SecretKey& index_key, const std::string& agency,
                                  const event::Event& event) {
  if (event.type() != event::EventType::capacity || event.capacity() == nullptr) return std::nullopt;
  const auto& capacity = *event.capacity();
  const auto* unit = capacity.unit_code() != nullptr ? capacity.unit_code() : capacity.unit();
  PersonKey key;
  key.bytes =
      storage::keyed_hash(index_key, "unit:" + agency + ":" + (unit == nullptr ? "" : unit->str())).bytes;
  return key;
}

KeyedHash identifier_hash(const storage::SecretKey& index_key, std::string_view text) {
  return storage::keyed_hash(index_key, std::string("identifier:").append(text));
}

}  // namespace carehub::core
