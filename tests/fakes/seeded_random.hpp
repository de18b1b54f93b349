#pragma once

#include "broker/base/random.hpp"

namespace carehub::fakes {

/// The same seed gives the same bytes for ever (splitmix64), so a run can be made again. For one thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  void fill(std::span<std::uint8_t> out) override {
    std::uint64_t word = 0;
    std::size_t left = 0;
    for (auto& byte : out) {
      if (left == 0) {
        word = next();
        left = sizeof word;
      }
      byte = static_cast<std::uint8_t>(word & 0xFFU);
      word >>= 8U;
      --left;
    }
  }

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }

  /// 0 <= result < bound; bound is not 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace carehub::fakes
