#include "broker/core/course.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using core::Course;
using ledger::SubscriptionChange;

namespace {

Course after(Course course, SubscriptionChange change, Sequence start = 0, Sequence through = 0,
             bool by_configuration = false, Timestamp at = {7}) {
  core::apply({change, start, through, by_configuration, at}, course);
  return course;
}

}  // namespace

TEST_CASE("a subscription that is made without a start is at the end at once") {
  CHECK_FALSE(after({}, SubscriptionChange::created).moving());
  const auto first = after({}, SubscriptionChange::created, 5);
  CHECK(first.starting());
  CHECK(first.next == 5);
  CHECK_FALSE(after(first, SubscriptionChange::advanced, 0).moving());
}

TEST_CASE("a pause keeps the moment at which it began") {
  const auto paused = after({}, SubscriptionChange::paused);
  const auto again = after(paused, SubscriptionChange::paused, 0, 0, false, {9});
  CHECK(again.paused_since == Timestamp{7});
  CHECK_FALSE(after(again, SubscriptionChange::resumed).paused_since);
}

TEST_CASE("a reset skips what lies before it and looks again at what lies behind") {
  const auto back = after({}, SubscriptionChange::cursor_reset, 10, 50);
  CHECK(back.skip_before == 10);
  CHECK(back.next == 10);
  CHECK(back.through == 50);
  CHECK_FALSE(back.starting());
  const auto now = after(back, SubscriptionChange::cursor_reset, 61, 60);
  CHECK(now.skip_before == 61);
  CHECK(now.next == 0);
  CHECK(after({}, SubscriptionChange::cursor_reset, 1, 50).skip_before == 0);
}

TEST_CASE("a reset of one that is starting goes on from there to the end") {
  const auto starting = after({}, SubscriptionChange::created, 1);
  const auto later = after(starting, SubscriptionChange::cursor_reset, 40, 60);
  CHECK(later.starting());
  CHECK(later.next == 40);
  CHECK(later.skip_before == 40);
}

TEST_CASE("skipping is over when its range reaches the cursor") {
  const auto reset = after({}, SubscriptionChange::cursor_reset, 10, 50);
  CHECK(after(reset, SubscriptionChange::skipped, 1, 5).skip_before == 10);
  CHECK(after(reset, SubscriptionChange::skipped, 1, 9).skip_before == 0);
}

TEST_CASE("what the configuration takes out and puts back is paused still, what an operator removes is not") {
  const auto paused = after({}, SubscriptionChange::paused);
  CHECK(after(paused, SubscriptionChange::removed, 0, 0, true).paused_since);
  CHECK_FALSE(after(paused, SubscriptionChange::removed).paused_since);
  CHECK(after(paused, SubscriptionChange::created, 0, 0, true).paused_since);
}
