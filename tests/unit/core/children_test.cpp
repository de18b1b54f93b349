#include "broker/core/children.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::core;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr PersonKey kBen{{2}};
constexpr PersonKey kCleo{{3}};
constexpr Timestamp kNow{1'000'000};
constexpr Timestamp kLater{2'000'000};
using Sequences = std::vector<Sequence>;

Waiting of(const PersonKey& person, Sequence sequence, event::Urgency urgency = event::Urgency::unknown) {
  Waiting waiting;
  waiting.pending.person = person;
  waiting.pending.sequence = sequence;
  waiting.pending.urgency = urgency;
  return waiting;
}

/// Takes and settles until nobody is ready.
Sequences drain(Children& children) {
  Sequences taken;
  while (auto waiting = children.take(0, false)) {
    taken.push_back(waiting->pending.sequence);
    children.settled(waiting->pending.person);
  }
  return taken;
}

}  // namespace

TEST_CASE("a child's deliveries go in their order, however they came in, and each once") {
  Children children;
  for (const Sequence sequence : {7U, 3U, 5U, 3U, 7U}) children.add(of(kAnna, sequence));
  CHECK(children.held() == 3);
  CHECK(drain(children) == Sequences{3, 5, 7});
  CHECK(children.held() == 0);
}

TEST_CASE("nothing of a busy child is taken until it is settled") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kAnna, 2));
  REQUIRE(children.take(0, false)->pending.sequence == 1);
  CHECK(children.next(0, false) == Children::Next::nobody);
  CHECK_FALSE(children.take(0, false));
  children.settled(kAnna);
  CHECK(children.take(0, false)->pending.sequence == 2);
}

TEST_CASE("emergencies go before the urgent, these before the rest, and equals by age") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kBen, 2, event::Urgency::urgent));
  children.add(of(kCleo, 3, event::Urgency::emergency));
  children.add(of(PersonKey{{4}}, 4, event::Urgency::urgent));
  CHECK(drain(children) == Sequences{3, 2, 4, 1});
}

TEST_CASE("a child's urgent event does not overtake that child's older one") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kAnna, 2, event::Urgency::emergency));
  CHECK(drain(children) == Sequences{1, 2});
}

TEST_CASE("a parked child holds up nobody, and comes back at its time and not before") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kBen, 2));
  children.given_back(*children.take(0, false), kLater, kNow);
  CHECK(children.next_wake() == kLater);
  CHECK(drain(children) == Sequences{2});
  children.wake({kLater.us - 1});
  CHECK(children.next(0, false) == Children::Next::nobody);
  children.wake(kLater);
  CHECK_FALSE(children.next_wake());
  CHECK(drain(children) == Sequences{1});
}

TEST_CASE("news for a parked child does not wake it") {
  Children children;
  children.add(of(kAnna, 1));
  children.given_back(*children.take(0, false), kLater, kNow);
  children.add(of(kAnna, 2, event::Urgency::emergency));
  CHECK(children.next(0, false) == Children::Next::nobody);
  children.wake(kLater);
  CHECK(drain(children) == Sequences{1, 2});
}

TEST_CASE("of one child a bounded part is held, and the rest is asked for where it goes on") {
  Children children;
  constexpr Sequence kAll = 3 * Children::kOfOneChildMax;
  for (Sequence sequence = 1; sequence <= kAll; ++sequence) children.add(of(kAnna, sequence));
  CHECK(children.held() == Children::kOfOneChildMax);
  auto taken = drain(children);
  while (true) {
    const auto wanted = children.take_wanted();
    if (wanted.empty()) break;
    REQUIRE(wanted.size() == 1);
    REQUIRE(wanted[0] == std::pair{kAnna, taken.back()});
    std::vector<Waiting> found;
    for (auto next = taken.back() + 1; next <= kAll && found.size() < 50; ++next) {
      found.push_back(of(kAnna, next));
    }
    const bool more = found.back().pending.sequence < kAll;
    children.refill(kAnna, std::move(found), more);
    for (const auto sequence : drain(children)) taken.push_back(sequence);
  }
  REQUIRE(taken.size() == kAll);
  CHECK(std::is_sorted(taken.begin(), taken.end()));
}

TEST_CASE("an older delivery that comes while the rest is on disk finds its place before it") {
  Children children;
  for (Sequence sequence = 10; sequence < 10 + 2 * Children::kOfOneChildMax; ++sequence) {
    children.add(of(kAnna, sequence));
  }
  const auto newest_held = 10 + Children::kOfOneChildMax - 1;
  children.add(of(kAnna, 5));
  children.add(of(kAnna, 1'000));
  const auto taken = drain(children);
  CHECK(taken.front() == 5);
  // One more came in at the front, so one more was left on disk at the back.
  CHECK(taken.back() == newest_held - 1);
  CHECK(children.take_wanted().at(0).second == newest_held - 1);
}

TEST_CASE("a child whose disk is found empty is forgotten, and may come again") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kAnna, 2));
  children.given_back(*children.take(0, false), kLater, kNow);
  children.wake(kLater);
  CHECK(drain(children) == Sequences{1});
  REQUIRE(children.take_wanted().size() == 1);
  children.refill(kAnna, {}, false);
  CHECK(children.take_wanted().empty());
  children.add(of(kAnna, 3));
  CHECK(drain(children) == Sequences{3});
}

TEST_CASE("a probe takes the event with the fewest attempts among those that are ready") {
  Children children;
  auto tried = of(kAnna, 1);
  tried.pending.attempt = 4;
  auto once = of(kBen, 2);
  once.left = true;
  children.add(std::move(tried));
  children.add(std::move(once));
  children.add(of(kCleo, 3));
  CHECK(children.take(0, true)->pending.sequence == 3);
  CHECK(children.take(0, true)->pending.sequence == 2);
  CHECK(children.take(0, false)->pending.sequence == 1);
}

TEST_CASE("trimming forgets what never left and keeps what did, without its view") {
  Children children;
  auto sent = of(kAnna, 1);
  sent.left = true;
  sent.view = std::make_shared<View>();
  children.add(std::move(sent));
  children.add(of(kAnna, 2));
  children.add(of(kBen, 3));
  children.trim();
  CHECK(children.held() == 1);
  CHECK(children.has_head(kAnna, 1));
  CHECK_FALSE(children.has_head(kBen, 3));
  const auto kept = children.take(0, false);
  REQUIRE(kept);
  CHECK(kept->view == nullptr);
  children.settled(kAnna);
  CHECK(children.take_wanted().at(0) == std::pair{kAnna, Sequence{1}});
}

TEST_CASE("a head that was answered after its time goes, and the child's next need not wait") {
  Children children;
  children.add(of(kAnna, 1));
  children.given_back(*children.take(0, false), kLater, kNow);
  children.add(of(kAnna, 2));
  REQUIRE(children.has_head(kAnna, 1));
  CHECK_FALSE(children.has_head(kAnna, 2));
  children.drop_head(kAnna);
  CHECK_FALSE(children.next_wake());
  CHECK(drain(children) == Sequences{2});
}

TEST_CASE("a busy child has no head to answer") {
  Children children;
  children.add(of(kAnna, 1));
  children.add(of(kAnna, 2));
  REQUIRE(children.take(0, false));
  CHECK_FALSE(children.has_head(kAnna, 1));
  CHECK_FALSE(children.has_head(kAnna, 2));
}
