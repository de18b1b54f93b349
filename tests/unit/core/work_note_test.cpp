#include "broker/core/work_note.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "tests/fakes/falling.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using core::Step;
using core::Work;
using core::WorkNote;

namespace {

struct Page {
  alignas(64) NotePage bytes{};

  /// How often the run before ended at this.
  std::uint32_t times() {
    auto looked = *this;
    const WorkNote note(looked.bytes);
    return note.last_fall() ? note.last_fall()->times : 0;
  }
  bool may_begin(const Work& work) {
    WorkNote note(bytes);
    return static_cast<bool>(note.begin(work));
  }
};

constexpr Work kFolding{Step::fold, 17, 0};
constexpr Work kDelivering{Step::deliver, 17, 5};

Work delivering(Sequence sequence, const char* subscription = kDesk) {
  return {Step::deliver, sequence, core::hash_of_name(subscription)};
}

void fall_over(EngineHarness& hub, const Work& work, std::uint32_t times = WorkNote::kFallsMax) {
  for (std::uint32_t each = 0; each < times; ++each) fall(hub.note_page, work);
}

std::size_t alarms(const EngineHarness& hub, const std::string& code) {
  return static_cast<std::size_t>(
      std::ranges::count_if(hub.alarms, [&](const auto& alarm) { return alarm.code == code; }));
}

/// How a message is noted while it is admitted: what another hub of the same keys has left on its page.
std::uint64_t noted_as(const wire::PublishItemT& item) {
  EngineHarness twin(Desk::rules(Desk::kDayMs));
  twin.publish_one(kHospital, item);
  std::uint64_t whose = 0;
  std::memcpy(&whose, twin.note_page.data() + 2 * sizeof whose, sizeof whose);
  return whose;
}

}  // namespace

TEST_CASE("what a run was at when it ended is counted, and begun again only so often") {
  Page page;
  CHECK(page.times() == 0);
  for (std::uint32_t times = 1; times <= WorkNote::kFallsMax; ++times) {
    fall(page.bytes, kDelivering);
    CHECK(page.times() == times);
  }
  CHECK_FALSE(page.may_begin(kDelivering));
}

TEST_CASE("what was got through once is counted from the beginning again") {
  Page page;
  for (int round = 0; round < 5; ++round) {
    for (std::uint32_t times = 1; times < WorkNote::kFallsMax; ++times) {
      fall(page.bytes, kDelivering);
      CHECK(page.times() == times);
    }
    CHECK(page.may_begin(kDelivering));
  }
}

TEST_CASE("what was fallen over too often is gone round until it is forgotten, and nothing else is") {
  Page page;
  for (std::uint32_t times = 0; times < WorkNote::kFallsMax; ++times) fall(page.bytes, kDelivering);
  for (int start = 0; start < 3; ++start) {
    WorkNote note(page.bytes);
    CHECK(note.given_up() == std::vector<Work>{kDelivering});
    CHECK_FALSE(note.begin(kDelivering));
    CHECK(note.begin({Step::deliver, 17, 6}));
    CHECK(note.begin({Step::deliver, 18, 5}));
    CHECK(note.begin(kFolding));
    // One that shares its bit.
    CHECK(note.begin({Step::deliver, 17 + 64, 5}));
  }
  {
    WorkNote note(page.bytes);
    note.forget(kDelivering);
    CHECK(note.given_up().empty());
  }
  CHECK(page.may_begin(kDelivering));
}

TEST_CASE("two that a hub falls over by turns are each counted") {
  Page page;
  for (std::uint32_t times = 0; times < WorkNote::kFallsMax; ++times) {
    fall(page.bytes, kDelivering);
    fall(page.bytes, kFolding);
  }
  WorkNote note(page.bytes);
  CHECK_FALSE(note.begin(kDelivering));
  CHECK_FALSE(note.begin(kFolding));
}

TEST_CASE("a run that ends between two pieces of work, or of its own will, blames none") {
  Page page;
  for (int run = 0; run < 10; ++run) CHECK(page.may_begin(kDelivering));
  CHECK(page.times() == 0);
}

TEST_CASE("more suspects than the note has room for: the oldest is tried anew, the newest are not") {
  Page page;
  constexpr Sequence kMany = 200;
  for (Sequence sequence = 1; sequence <= kMany; ++sequence) {
    for (std::uint32_t times = 0; times < WorkNote::kFallsMax; ++times)
      fall(page.bytes, {Step::deliver, sequence, 5});
  }
  WorkNote note(page.bytes);
  CHECK(note.begin({Step::deliver, 1, 5}));
  CHECK_FALSE(note.begin({Step::deliver, kMany - 20, 5}));
  CHECK_FALSE(note.begin({Step::deliver, kMany, 5}));
}

TEST_CASE("a page of another form, or of noise, is taken for an empty one") {
  Page page;
  SeededRandom random(1);
  std::array<std::uint8_t, WorkNote::kBytes> noise{};
  random.fill(noise);
  std::memcpy(page.bytes.data(), noise.data(), noise.size());
  WorkNote note(page.bytes);
  CHECK_FALSE(note.last_fall());
  CHECK(note.given_up().empty());
  CHECK(note.begin(kFolding));
}

TEST_CASE(
    "a delivery that the hub fell over three times is a dead letter, and its child goes on after the gap") {
  const auto falls = GENERATE(WorkNote::kFallsMax - 1, WorkNote::kFallsMax);
  Desk desk;
  const auto culprit = desk.publish(1);
  const auto next = desk.publish(1, event::EventType::discharge);
  const auto other = desk.publish(2);
  fall_over(desk.hub, delivering(culprit), falls);
  desk.hub.restart();
  desk.subscribe();
  if (falls < WorkNote::kFallsMax) {
    CHECK(desk.sequences() == Sequences{culprit, other});
    CHECK(desk.dead_letters() == 0);
    CHECK(alarms(desk.hub, "hub_falls_over") == 0);
    return;
  }
  desk.pass_ms(1);
  // The child's next one goes once it is known what became of the one before.
  REQUIRE(desk.sequences() == Sequences{other, next});
  CHECK(desk.got[1].after_gap);
  const auto dead = desk.hub.entries(storage::EntryKind::dead_letter);
  REQUIRE(dead.size() == 1);
  CHECK(entry_of<ledger::DeadLetterT>(dead[0].second).sequence == culprit);
  CHECK(entry_of<ledger::DeadLetterT>(dead[0].second).code == "hub_fell_over");
  CHECK(alarms(desk.hub, "hub_falls_over") == 1);
  CHECK(alarms(desk.hub, "dead_letter") == 1);
  // The next start finds it settled.
  desk.hub.restart(1);
  desk.subscribe();
  desk.pass_ms(1);
  CHECK(desk.dead_letters() == 1);
}

TEST_CASE("what the hub fell over for one subscription is delivered to the others") {
  auto rules = Desk::rules(Desk::kDayMs);
  rules.subscriptions.push_back(rules.subscriptions[0]);
  rules.subscriptions[1].name = "second-desk";
  Desk desk(std::move(rules));
  const auto culprit = desk.publish(1);
  fall_over(desk.hub, delivering(culprit, "second-desk"));
  desk.hub.restart();
  desk.subscribe();
  CHECK(desk.sequences() == Sequences{culprit});
  auto received = desk.hub.subscribe(EngineHarness::peer(3, "northmarch-council"), "second-desk", kRole);
  CHECK(deliveries_of(received, "second-desk").empty());
  CHECK(desk.dead_letters() == 1);
}

TEST_CASE("a dead letter that an operator sends again is tried again, though the hub fell over it") {
  Desk desk;
  const auto culprit = desk.publish(1);
  fall_over(desk.hub, delivering(culprit));
  desk.hub.restart();
  desk.subscribe();
  desk.pass_ms(1);
  REQUIRE(desk.dead_letters() == 1);
  wire::HandleDeadLetterT again;
  again.subscription = kDesk;
  again.sequence = culprit;
  again.action = wire::DeadLetterAction::send_again;
  again.by = "A Operator";
  again.reason = "the hub was mended";
  desk.take(desk.hub.send(EngineHarness::operator_peer(9), std::move(again)));
  REQUIRE(desk.sequences() == Sequences{culprit});
  CHECK(desk.got[0].late);
}

TEST_CASE("an event that the hub fell over offering is passed over for that subscription, on record") {
  Desk desk;
  const auto culprit = desk.publish(1);
  const auto other = desk.publish(2);
  auto late = desk.hub.rules.subscriptions[0];
  late.name = "late-desk";
  late.start.kind = core::StartAt::Kind::beginning;
  desk.hub.rules.subscriptions.push_back(late);
  fall_over(desk.hub, {Step::offer, culprit, core::hash_of_name("late-desk")});
  desk.hub.restart();
  auto received = desk.hub.subscribe(EngineHarness::peer(3, "northmarch-council"), "late-desk", kRole);
  auto more = desk.hub.pass_ms(1'000);
  std::vector<Sequence> shown;
  for (auto* each : {&received, &more}) {
    for (const auto& delivery : deliveries_of(*each, "late-desk")) shown.push_back(delivery.sequence);
  }
  CHECK(shown == Sequences{other});
  CHECK(alarms(desk.hub, "hub_falls_over") == 1);
  const auto actions = desk.hub.entries(storage::EntryKind::operator_action);
  REQUIRE(actions.size() == 1);
  const auto& action = entry_of<ledger::OperatorActionT>(actions[0].second);
  CHECK(action.action == "pass over entry");
  CHECK(action.by == "hub");
  CHECK(action.sequence == culprit);
  CHECK(action.subscription == "late-desk");
  desk.subscribe();
  CHECK(desk.sequences() == Sequences{culprit, other});
}

TEST_CASE(
    "an entry that the hub fell over folding is passed over, its receipt stands and its delivery goes") {
  Desk desk;
  const auto before = desk.publish(1);
  const auto culprit = desk.publish(2);
  const auto after = desk.publish(3);
  fall_over(desk.hub, {Step::fold, culprit, 0});
  desk.hub.restart_without_state();
  CHECK(desk.hub.entries(storage::EntryKind::event).size() == 3);
  desk.subscribe();
  CHECK(desk.sequences() == Sequences{before, culprit, after});
  CHECK(desk.publish(2, event::EventType::discharge) > after);
}

TEST_CASE("a message that the hub fell over is refused and kept, and others of its sender are taken") {
  EventSpec spec;
  spec.id = "the-one";
  const auto culprit = item_of(spec);
  const auto whose = noted_as(culprit);
  Desk desk;
  fall_over(desk.hub, {Step::admit, 0, whose});
  desk.hub.restart();
  const auto other = desk.publish(2);
  CHECK(other > 0);
  const auto refused = desk.hub.publish_one(kHospital, culprit);
  CHECK(refused.outcome == wire::Outcome::refused);
  CHECK(refused.code == "hub_fell_over");
  REQUIRE(refused.sequence > other);
  const auto kept = desk.hub.entries(storage::EntryKind::refusal);
  REQUIRE(kept.size() == 1);
  CHECK(entry_of<ledger::RefusalT>(kept[0].second).original == culprit.event);
  CHECK(alarms(desk.hub, "hub_falls_over") == 1);
  const auto again = desk.hub.publish_one(kHospital, culprit);
  CHECK(again.sequence == refused.sequence);
  CHECK(alarms(desk.hub, "hub_falls_over") == 1);
  CHECK(desk.hub.entries(storage::EntryKind::event).size() == 1);
}

TEST_CASE("a message that the hub falls over even as it keeps it is refused without being kept") {
  EventSpec spec;
  spec.id = "the-one";
  const auto culprit = item_of(spec);
  const auto whose = noted_as(culprit);
  Desk desk;
  fall_over(desk.hub, {Step::admit, 0, whose});
  fall_over(desk.hub, {Step::admit, 1, whose});
  desk.hub.restart();
  const auto refused = desk.hub.publish_one(kHospital, culprit);
  CHECK(refused.outcome == wire::Outcome::refused);
  CHECK(refused.code == "hub_fell_over");
  CHECK(refused.sequence == 0);
  CHECK(alarms(desk.hub, "hub_falls_over") == 1);
  CHECK(desk.publish(2) > 0);
}
