#pragma once

#include <span>

#include "broker/base/bytes.hpp"

namespace carehub {

/// Randomness, passed in so that a simulation can be run again from its seed.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// The kernel's generator, through libsodium. Thread-safe.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// A random UUID, RFC 9562 version 4, as text.
std::string random_uuid(Random& random);

}  // namespace carehub
