#include "broker/app/moment.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using app::moment;
using app::moment_through;

TEST_CASE("a moment is a time, or a day from its first microsecond to its last") {
  const auto midnight = moment("2026-01-31", "--since", false);
  REQUIRE(midnight);
  CHECK(*moment("2026-01-31T00:00:00Z", "--since", false) == *midnight);
  CHECK(*moment("2026-01-31", "--until", true) == *midnight + 86'400'000'000 - 1);
  CHECK(*moment("2026-01-31T00:00:00Z", "--until", true) == *midnight - 1);
  const auto wrong = moment("yesterday", "--since", false);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text.starts_with("--since is a time such as"));
}

TEST_CASE("what was so by a printed time is what was so in its millisecond") {
  const auto midnight = moment("2026-01-31", "--at", false);
  REQUIRE(midnight);
  CHECK(*moment_through("2026-01-31T00:00:00.123Z", "--at") == *midnight + 123'999);
  CHECK(*moment_through("2026-01-31T00:00:00.123456Z", "--at") == *midnight + 123'999);
  CHECK(*moment_through("2026-01-31", "--at") == *midnight + 86'400'000'000 - 1);
  CHECK_FALSE(moment_through("soon", "--at"));
}
