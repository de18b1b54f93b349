#include "broker/base/random.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace carehub;

namespace {

/// Counts up, so that the layout of what is made from it can be seen.
class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

}  // namespace

TEST_CASE("a random UUID has version 4 and the variant of RFC 9562") {
  CountingRandom random;
  CHECK(random_uuid(random) == "00010203-0405-4607-8809-0a0b0c0d0e0f");
}

TEST_CASE("the system's randomness does not repeat") {
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_uuid(random));
  CHECK(seen.size() == 1000);
  std::vector<std::uint8_t> bytes(64, 0);
  random.fill(bytes);
  CHECK(std::ranges::any_of(bytes, [](std::uint8_t byte) { return byte != 0; }));
}
