#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/event_generated.h"

/// A person's identifiers in the one form that they are hashed and asked for in: nhs:VALUE, upn:VALUE,
/// local:ISSUER:VALUE.
namespace carehub::core {

/// The identifiers that can link this event to its person, strongest first: NHS number (a mother's is none),
/// UPN, local ones. A local identifier without an issuer is the source agency's.
std::vector<std::string> identifier_texts(const event::Event& event);

/// The same form of what somebody typed: numbers checked, spaces dropped. Error `invalid` says which forms
/// there are.
Result<std::string> canonical_identifier(std::string_view text);

/// A sender's own identifier may be an NHS number, which is the same then.
std::string without_issuer(const std::string& text);

/// The key of the unit that an event is about, where it is about no child; nullopt: it is about one.
std::optional<PersonKey> unit_key(const storage::SecretKey& index_key, const std::string& agency,
                                  const event::Event& event);

KeyedHash identifier_hash(const storage::SecretKey& index_key, std::string_view text);

}  // namespace carehub::core
