#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/transports/address_rules.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"

namespace carehub::adapters {

/// A secret of those who may post, kept as its hash: whoever reads it cannot post with it.
struct HttpToken {
  std::array<std::uint8_t, 32> sha256{};
  std::string until = {};  // the last day, in UTC, on which it is good (2027-01-31); empty: there is none
  Networks from = {};      // whom it is good for; none: wherever they are
};

/// From what its file holds: `sha256:` and the 64 hexadecimal digits of its hash, or the secret itself.
/// Secrets are random, so a fast hash is enough. Error `invalid`: no hash follows.
Result<HttpToken> http_token(std::string_view text, std::string until = {}, Networks from = {});

enum class TokenVerdict : std::uint8_t { good, unknown, ended, elsewhere };

/// What a secret that an address (without a port) sent is worth now. Takes as long for any secret of a
/// length, right or wrong.
TokenVerdict judge(const std::vector<HttpToken>& tokens, std::string_view secret, const std::string& address,
                   Timestamp now);

/// Whether the last day (UTC, such as 2027-01-31) of what has one is over; never where it is empty.
bool is_over(std::string_view until, Timestamp now);
/// Whether a token is not good any more.
bool has_ended(const HttpToken& token, Timestamp now);

}  // namespace carehub::adapters
