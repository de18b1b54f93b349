#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/clock.hpp"

/// Codes of six digits that a person's device shows for thirty seconds each (TOTP, RFC 6238, with SHA-1).
namespace carehub::adapters {

constexpr std::int64_t kCodeStepUs = 30 * kSecondUs;
constexpr std::size_t kCodeSecretBytes = 20;  // as many as SHA-1 gives (RFC 4226 section 4)

/// The code of one step: of the seconds since 1970, divided by thirty.
std::string one_time_code(const Bytes& secret, std::int64_t step);

/// The step whose code this is: the one of now, or one beside it, and after `used`. Looks at all three,
/// each in constant time.
std::optional<std::int64_t> step_of_code(const Bytes& secret, std::string_view code, Timestamp now,
                                         std::int64_t used);

/// RFC 4648 section 6, without padding.
std::string to_base32(const Bytes& bytes);
std::optional<Bytes> from_base32(std::string_view text);

}  // namespace carehub::adapters
