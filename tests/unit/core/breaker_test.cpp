#include "broker/core/breaker.hpp"

#include <catch2/catch.hpp>
#include <iostream>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::core;
using Gate = Breaker::Gate;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr PersonKey kBen{{2}};
constexpr RetryRules kRules{.backoff_first_ms = 1'000, .backoff_max_ms = 16'000};

Timestamp second(std::int64_t at) { return {at * kSecondUs}; }

}  // namespace

TEST_CASE("a backoff doubles up to its ceiling, and half of it is always kept") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom random(seed);
    std::int64_t whole_ms = 1'000;
    for (std::uint32_t failures = 1; failures <= 10; ++failures) {
      const auto wait = backoff_us(kRules, failures, random);
      CHECK(wait >= whole_ms * kMillisecondUs / 2);
      CHECK(wait <= whole_ms * kMillisecondUs);
      whole_ms = std::min<std::int64_t>(2 * whole_ms, 16'000);
    }
  }
  std::cout << "seeds 1 to 50\n";
}

TEST_CASE("a backoff is neither endless nor nothing, whatever the rules and the count say") {
  fakes::SeededRandom random(1);
  const RetryRules widest{.backoff_first_ms = 0xFFFFFFFFU, .backoff_max_ms = 0xFFFFFFFFU};
  const RetryRules none{.backoff_first_ms = 0, .backoff_max_ms = 0};
  for (const std::uint32_t failures : {0U, 1U, 64U, 0xFFFFFFFFU}) {
    CHECK(backoff_us(widest, failures, random) <= std::int64_t{0xFFFFFFFF} * kMillisecondUs);
    CHECK(backoff_us(widest, failures, random) > 0);
    CHECK(backoff_us(none, failures, random) > 0);
  }
}

TEST_CASE("one child's failures say nothing about the receiver, two children's in a row do") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  for (int times = 0; times < 20; ++times) CHECK_FALSE(breaker.failed(kAnna, second(times)));
  CHECK(breaker.gate(second(20)) == Gate::open);
  CHECK(breaker.failed(kBen, second(20)));
  CHECK(breaker.gate(second(20)) == Gate::shut);
}

TEST_CASE("a success between them makes two children's failures two events' own") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  CHECK_FALSE(breaker.failed(kAnna, second(1)));
  breaker.succeeded(second(2));
  CHECK_FALSE(breaker.failed(kBen, second(3)));
  CHECK(breaker.closed());
}

TEST_CASE("one probe leaves when the wait is over, and nothing besides it until it is answered") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.unavailable(0, second(0));
  REQUIRE(breaker.waits());
  CHECK(breaker.gate({breaker.probe_at().us - 1}) == Gate::shut);
  CHECK(breaker.gate(breaker.probe_at()) == Gate::probe);
  breaker.probing();
  CHECK(breaker.gate(second(86'400)) == Gate::shut);
  breaker.succeeded(second(86'400));
  CHECK(breaker.gate(second(86'400)) == Gate::open);
  CHECK_FALSE(breaker.open_since());
}

TEST_CASE("a probe that fails opens it again for longer, and the outage keeps its beginning") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.unavailable(0, second(5));
  auto now = breaker.probe_at();
  for (std::int64_t least_ms = 1'000; least_ms <= 8'000; least_ms *= 2) {
    breaker.probing();
    CHECK(breaker.failed(kAnna, now));
    CHECK(breaker.probe_at().us - now.us >= least_ms * kMillisecondUs);
    now = breaker.probe_at();
  }
  CHECK(breaker.open_since() == second(5));
}

TEST_CASE("answers of deliveries that left before it opened do not lengthen the wait") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.unavailable(0, second(0));
  const auto probe_at = breaker.probe_at();
  for (int more = 0; more < 100; ++more) {
    breaker.unavailable(0, second(0));
    CHECK(breaker.failed(kBen, second(0)));
  }
  CHECK(breaker.probe_at() == probe_at);
}

TEST_CASE("a wait that the receiver asked for is kept even when something was taken meanwhile") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.unavailable(600'000, second(0));
  breaker.succeeded(second(1));
  CHECK(breaker.gate(second(599)) == Gate::shut);
  CHECK(breaker.gate(second(600)) == Gate::probe);
  breaker.probing();
  breaker.succeeded(second(601));
  CHECK(breaker.closed());
}

TEST_CASE("no receiver can ask for more than an hour") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.unavailable(0xFFFFFFFFU, second(0));
  CHECK(breaker.probe_at() == second(3'600));
}

TEST_CASE("a probe that was lost with its connection leaves again at once, and a closed one stays closed") {
  fakes::SeededRandom random(1);
  Breaker breaker(kRules, random);
  breaker.disconnected(second(0));
  CHECK(breaker.closed());
  breaker.unavailable(0, second(0));
  const auto probe_at = breaker.probe_at();
  breaker.disconnected(second(0));
  CHECK(breaker.probe_at() == probe_at);
  breaker.probing();
  breaker.disconnected(probe_at);
  CHECK(breaker.gate(probe_at) == Gate::probe);
}
