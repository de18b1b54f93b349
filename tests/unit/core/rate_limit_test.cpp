#include "broker/core/rate_limit.hpp"

#include <catch2/catch.hpp>
#include <deque>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

constexpr Timestamp kNow{1'772'355'600'000'000};
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;

}  // namespace

TEST_CASE("without a limit everything may go") {
  RateLimit limit;
  for (int each = 0; each < 1000; ++each) {
    CHECK(limit.allows(kNow));
    limit.take(kNow);
  }
}

TEST_CASE("a limit lets one go after the other, and after a rest one second's worth at once") {
  RateLimit limit;
  limit.set(120, kNow);
  CHECK_FALSE(limit.allows(kNow));
  CHECK(limit.next(kNow) == Timestamp{kNow.us + kSecondUs / 2});
  const Timestamp rested{kNow.us + kMinuteUs};
  for (int each = 0; each < 2; ++each) {
    REQUIRE(limit.allows(rested));
    limit.take(rested);
  }
  CHECK_FALSE(limit.allows(rested));
  CHECK(limit.next(rested) == Timestamp{rested.us + kSecondUs / 2});
}

TEST_CASE("the slowest limit lets one go a minute") {
  RateLimit limit;
  limit.set(1, kNow);
  const auto first = limit.next(kNow);
  CHECK(first == Timestamp{kNow.us + kMinuteUs});
  limit.take(first);
  CHECK(limit.next(first) == Timestamp{kNow.us + 2 * kMinuteUs});
}

TEST_CASE("a limit that is set again goes on, a changed one begins anew, and one that is lifted is gone") {
  RateLimit limit;
  limit.set(60, kNow);
  const auto next = limit.next(kNow);
  limit.set(60, {kNow.us + 100});
  CHECK(limit.next(kNow) == next);
  limit.set(30, next);
  CHECK_FALSE(limit.allows(next));
  CHECK(limit.next(next) == Timestamp{next.us + 2 * kSecondUs});
  limit.set(0, next);
  CHECK(limit.allows(next));
}

TEST_CASE("over any minute never more goes than the limit and one second's worth, however it is asked") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom dice(seed);
    const auto per_minute = static_cast<std::uint32_t>(1 + dice.below(seed % 2 == 0 ? 50 : 5'000));
    const std::size_t most = per_minute + std::max<std::size_t>(1, per_minute / 60);
    RateLimit limit;
    Timestamp now = kNow;
    limit.set(per_minute, now);
    std::deque<Timestamp> taken;
    for (int each = 0; each < 20'000; ++each) {
      if (dice.below(200) == 0) now.us += static_cast<std::int64_t>(dice.below(2 * kMinuteUs));
      if (dice.below(3) == 0) now.us += static_cast<std::int64_t>(dice.below(2 * kMinuteUs / per_minute));
      if (!limit.allows(now)) continue;
      limit.take(now);
      taken.push_back(now);
      while (now.us - taken.front().us >= kMinuteUs) taken.pop_front();
      REQUIRE(taken.size() <= most);
    }
  }
}
