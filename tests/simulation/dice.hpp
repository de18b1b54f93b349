#pragma once

#include <cstdint>

#include "tests/fakes/seeded_random.hpp"

namespace carehub::simulation {

/// What is thrown for one action; the same throws whenever the action is run again.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  /// 0 <= result < bound.
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  int number_below(int bound) { return static_cast<int>(below(static_cast<std::uint64_t>(bound))); }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  std::uint64_t next() { return random_.next(); }

 private:
  fakes::SeededRandom random_;
};

}  // namespace carehub::simulation
