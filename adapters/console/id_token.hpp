#pragma once

#include <string>
#include <string_view>

#include "adapters/formats/json.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"

namespace carehub::adapters {

/// What an ID token has to say to be ours.
struct IdTokenExpected {
  std::string issuer;
  std::string client_id;
  std::string nonce;
};

/// The claims of an ID token (OpenID Connect Core 1.0 section 3.1.3.7) that one of the provider's keys (RFC
/// 7517: an object with `keys`) signed by RS, PS or ES of 256, 384 or 512 bits, for us, for this sign-in, and
/// that is good now, give or take a minute. Error `not_found`: none of the keys is the one that signed it.
/// `denied`: it is not to be trusted. No error repeats anything of it.
Result<json::Document> check_id_token(std::string_view token, const json::Value& keys,
                                      const IdTokenExpected& expected, Timestamp now);

constexpr std::size_t kIdTokenBytesMax = 64U << 10U;

}  // namespace carehub::adapters
