#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {

/// The fields of a form as a browser posts it (application/x-www-form-urlencoded, WHATWG URL section 5.1),
/// any of which may be a secret. nullopt: it is malformed, a field comes twice, or there are more than 16.
using Form = std::map<std::string, SecretText>;
std::optional<Form> read_form(BytesView body);

/// The value of one cookie (RFC 6265 section 4.2); empty where there is none.
std::string cookie_of(std::string_view header, std::string_view name);

}  // namespace carehub::adapters
