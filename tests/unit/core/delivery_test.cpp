#include "broker/core/delivery.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "broker/base/ledger_keys.hpp"
#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using ledger::NakKind;

TEST_CASE("a child's second event waits for the first one's ack, another child's does not") {
  Desk desk;
  desk.subscribe();
  const auto first = desk.publish(1);
  const auto second = desk.publish(1, event::EventType::discharge);
  const auto other = desk.publish(2);
  CHECK(desk.sequences() == Sequences{first, other});
  desk.ack(first);
  CHECK(desk.sequences() == Sequences{first, other, second});
}

TEST_CASE("no delivery leaves beyond the credit, and credit is bounded") {
  Desk desk;
  desk.subscribe(2);
  for (int child = 1; child <= 4; ++child) desk.publish(child);
  CHECK(desk.got.size() == 2);
  desk.credit(1);
  CHECK(desk.got.size() == 3);
  CHECK(desk.hub.engine->counters().excess_credit == 0);
  desk.credit(0xFFFFFFFFU);
  CHECK(desk.got.size() == 4);
  CHECK(desk.hub.engine->counters().excess_credit == 1);
}

TEST_CASE("the urgent goes first among children that are ready, then the oldest") {
  Desk desk;
  EventSpec routine;
  routine.tier = 0;
  std::vector<Sequence> published;
  for (int child = 1; child <= 2; ++child) {
    routine.child = child;
    published.push_back(desk.hub.publish_one(kHospital, item_of(routine)).sequence);
  }
  EventSpec flag;
  flag.child = 3;
  flag.type = event::EventType::safeguarding_flag;
  published.push_back(desk.hub.publish_one(kHospital, item_of(flag)).sequence);
  desk.subscribe();
  CHECK(desk.sequences() == Sequences{published[2], published[0], published[1]});
}

TEST_CASE("what was published while the subscriber was away comes in order for each child") {
  Desk desk;
  const auto first = desk.publish(1);
  const auto second = desk.publish(1, event::EventType::discharge);
  desk.subscribe();
  CHECK(desk.sequences() == Sequences{first});
  desk.ack(first);
  CHECK(desk.sequences() == Sequences{first, second});
}

TEST_CASE("a lost connection counts no attempt, and what was in flight comes again with its own Offered") {
  Desk desk;
  desk.subscribe();
  const auto sequence = desk.publish(1);
  const auto offered = desk.hub.entries(storage::EntryKind::offered).size();
  desk.hub.disconnect(2);
  desk.subscribe();
  REQUIRE(desk.got.size() == 2);
  CHECK(desk.got[1].sequence == sequence);
  CHECK(desk.got[1].attempt == 2);
  CHECK(desk.got[1].view == desk.got[0].view);
  CHECK(desk.hub.entries(storage::EntryKind::offered).size() == offered + 1);
  CHECK(desk.hub.entries(storage::EntryKind::nacked).empty());
}

TEST_CASE("a failing event is tried again after a backoff that grows") {
  Desk desk;
  desk.subscribe();
  const auto sequence = desk.publish(1);
  desk.nak(sequence, NakKind::failed);
  CHECK(desk.got.size() == 1);
  desk.pass_ms(limits::kBackoffFirstMs);
  REQUIRE(desk.got.size() == 2);
  CHECK(desk.got[1].attempt == 2);
  desk.nak(sequence, NakKind::failed);
  desk.pass_ms(limits::kBackoffFirstMs - 10);
  CHECK(desk.got.size() == 2);
  desk.pass_ms(limits::kBackoffFirstMs + 10);
  CHECK(desk.got.size() == 3);
}

TEST_CASE("a failing event never holds up another child, and dead-letters only while others succeed") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  const auto poison = desk.publish(1);
  const auto next = desk.publish(1, event::EventType::discharge);
  int child = 2;
  for (int round = 0; round < 40 && desk.dead_letters() == 0; ++round) {
    const auto well = desk.publish(child++);
    CHECK(desk.got.back().sequence == well);
    desk.ack(well);
    desk.nak(poison, NakKind::failed);
    desk.pass_ms(2 * limits::kBackoffMaxMs);
  }
  REQUIRE(desk.dead_letters() == 1);
  REQUIRE(desk.got.back().sequence == next);
  CHECK(desk.got.back().after_gap);
  CHECK(desk.hub.alarmed("dead_letter"));
  const auto nacked = desk.hub.entries(storage::EntryKind::nacked);
  std::uint32_t counted = 0;
  for (const auto& [sequence, body] : nacked) {
    for (const auto& item : entry_of<ledger::NackedT>(body).items) counted += item->counted ? 1 : 0;
  }
  CHECK(counted == limits::kAttemptsMax);
}

TEST_CASE("an event that fails alone is never given up, however often") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  const auto sequence = desk.publish(1);
  for (int round = 0; round < 50; ++round) {
    desk.nak(sequence, NakKind::failed);
    desk.pass_ms(2 * limits::kBackoffMaxMs);
  }
  CHECK(desk.dead_letters() == 0);
  CHECK(desk.got.size() == 51);
}

TEST_CASE("attempts survive a restart, with and without the state") {
  const bool without_state = GENERATE(false, true);
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  const auto poison = desk.publish(1);
  int child = 2;
  for (int round = 0; round < 40 && desk.dead_letters() == 0; ++round) {
    const auto well = desk.publish(child++);
    desk.ack(well);
    desk.nak(poison, NakKind::failed);
    if (without_state) {
      desk.hub.restart_without_state();
    } else {
      desk.hub.restart(static_cast<std::size_t>(round % 3));
    }
    desk.subscribe(limits::kCreditMax);
    desk.pass_ms(2 * limits::kBackoffMaxMs);
  }
  CHECK(desk.dead_letters() == 1);
  std::uint32_t last = 0;
  for (const auto& delivery : desk.got) {
    if (delivery.sequence != poison) continue;
    CHECK(delivery.attempt == last + 1);
    last = delivery.attempt;
  }
}

TEST_CASE("a rejected event is a dead letter at once, and the child's next one comes after the gap") {
  Desk desk;
  desk.subscribe();
  const auto first = desk.publish(1);
  desk.nak(first, NakKind::rejected);
  CHECK(desk.dead_letters() == 1);
  const auto next = desk.publish(1, event::EventType::discharge);
  REQUIRE(desk.got.back().sequence == next);
  CHECK(desk.got.back().after_gap);
  desk.ack(next);
  desk.publish(1);
  CHECK_FALSE(desk.got.back().after_gap);
}

TEST_CASE("what can be shown no more is given up, and the child's next one comes after the gap at once") {
  const auto school = EngineHarness::peer(3, "holm-school");
  auto rules = EngineHarness::county();
  rules.subscriptions[1].filter.schools = {"900101", "900202"};
  rules.agencies[3].codes = {"900101", "900202"};
  EngineHarness hub(rules);
  EventSpec spec;
  const auto hidden = hub.publish_one(kHospital, item_of(spec)).sequence;
  spec.school_urn = "900202";
  const auto shown = hub.publish_one(kHospital, item_of(spec)).sequence;
  hub.rules.agencies[3].codes = {"900202"};
  hub.restart();
  auto received = hub.subscribe(school, "holm-notices", "school-pastoral");
  const auto got = deliveries_of(received, "holm-notices");
  REQUIRE(got.size() == 1);
  CHECK(got[0].sequence == shown);
  CHECK(got[0].after_gap);
  const auto dead = hub.entries(storage::EntryKind::dead_letter);
  REQUIRE(dead.size() == 1);
  CHECK(entry_of<ledger::DeadLetterT>(dead[0].second).sequence == hidden);
}

TEST_CASE("the gap is remembered through a restart") {
  Desk desk;
  desk.subscribe();
  desk.nak(desk.publish(1), NakKind::rejected);
  desk.hub.restart_without_state();
  desk.subscribe();
  desk.publish(1, event::EventType::discharge);
  CHECK(desk.got.back().after_gap);
}

TEST_CASE(
    "an unavailable receiver gets one probe at a time, nothing is counted, and all comes when it is back") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  std::vector<Sequence> published;
  for (int child = 1; child <= 5; ++child) published.push_back(desk.publish(child));
  for (const auto sequence : published) desk.nak(sequence, NakKind::unavailable);
  CHECK(desk.hub.alarmed("receiver_unavailable"));
  for (int probe = 0; probe < 30; ++probe) {
    const auto before = desk.got.size();
    desk.pass_ms(2 * limits::kBackoffMaxMs);
    REQUIRE(desk.got.size() == before + 1);
    desk.nak(desk.got.back().sequence, NakKind::unavailable);
  }
  CHECK(desk.dead_letters() == 0);
  desk.pass_ms(2 * limits::kBackoffMaxMs);
  const auto before = desk.got.size();
  desk.ack(desk.got.back().sequence);
  CHECK(desk.got.size() == before + 4);
}

TEST_CASE("a receiver's own Retry-After is kept") {
  Desk desk;
  desk.subscribe();
  const auto sequence = desk.publish(1);
  desk.nak(sequence, NakKind::unavailable, 600'000);
  desk.pass_ms(599'000);
  CHECK(desk.got.size() == 1);
  desk.pass_ms(2'000);
  CHECK(desk.got.size() == 2);
}

TEST_CASE("failures of two children in a row open the breaker, and its probes do not hang on the bad event") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  const auto one = desk.publish(1);
  const auto two = desk.publish(2);
  desk.nak(one, NakKind::failed);
  desk.nak(two, NakKind::failed);
  const auto three = desk.publish(3);
  CHECK(desk.got.size() == 2);
  desk.pass_ms(limits::kBackoffFirstMs);
  REQUIRE(desk.got.size() == 3);
  CHECK(desk.got[2].sequence == three);
  desk.ack(three);
  desk.pass_ms(4 * limits::kBackoffFirstMs);
  CHECK(desk.got.size() == 5);
}

TEST_CASE("a delivery without an answer comes again, uncounted; a late ack of it is taken") {
  Desk desk(limits::kAckWaitMs);
  desk.subscribe();
  const auto sequence = desk.publish(1);
  const auto next = desk.publish(1, event::EventType::discharge);
  desk.pass_ms(limits::kAckWaitMs);
  CHECK(desk.got.size() == 1);
  desk.ack(sequence);
  REQUIRE(desk.got.size() == 2);
  CHECK(desk.got[1].sequence == next);
  desk.pass_ms(limits::kAckWaitMs + limits::kBackoffFirstMs);
  REQUIRE(desk.got.size() == 3);
  CHECK(desk.got[2].sequence == next);
  CHECK(desk.got[2].attempt == 2);
  CHECK(desk.dead_letters() == 0);
}

TEST_CASE("answers to what was not delivered on that connection are ignored and counted") {
  Desk desk;
  desk.subscribe(1);
  const auto first = desk.publish(1);
  const auto second = desk.publish(2);
  desk.ack(second);
  CHECK(desk.hub.engine->counters().ignored_answers == 1);
  const auto stranger = EngineHarness::peer(7, "northmarch-council");
  desk.take(desk.hub.ack(stranger, kDesk, first));
  CHECK(desk.hub.engine->counters().ignored_answers == 2);
  CHECK(desk.hub.entries(storage::EntryKind::acked).empty());
  wire::AckT everything;
  everything.subscription = kDesk;
  everything.ranges = {ledger::Range(0, ~std::uint64_t{0})};
  desk.take(desk.hub.send(kCouncil, std::move(everything)));
  desk.credit(1);
  CHECK(desk.got.back().sequence == second);
}

TEST_CASE("the newest connection takes a subscription over, and the old one is told") {
  Desk desk;
  desk.subscribe();
  const auto sequence = desk.publish(1);
  const auto newer = EngineHarness::peer(8, "northmarch-council");
  auto received = desk.hub.subscribe(newer, kDesk, kRole);
  bool told = false;
  for (const auto& one : received) told = told || (one.to == 2 && one.frame.message.AsRejected() != nullptr);
  CHECK(told);
  desk.take(std::move(received));
  REQUIRE(desk.got.size() == 2);
  CHECK(desk.got[1].attempt == 2);
  desk.ack(sequence);  // the old connection's
  CHECK(desk.hub.entries(storage::EntryKind::acked).empty());
}

TEST_CASE("more than the window waits on disk and comes in order for each child") {
  Desk desk;
  constexpr int kChildren = 300;
  constexpr int kOfEach = 40;  // 12,000 pending: more than the window
  for (int round = 0; round < kOfEach; ++round) {
    std::vector<wire::PublishItemT> items;
    for (int child = 1; child <= kChildren; ++child) {
      EventSpec spec;
      spec.child = child;
      items.push_back(item_of(spec));
    }
    desk.take(desk.hub.publish(kHospital, std::move(items)));
  }
  desk.subscribe(limits::kCreditMax);
  std::map<std::string, Sequence> newest;
  std::size_t answered = 0;
  while (answered < desk.got.size()) {
    wire::AckT ack;
    ack.subscription = kDesk;
    const auto until = desk.got.size();
    for (; answered < until; ++answered) {
      const auto& delivery = desk.got[answered];
      auto& last = newest[to_hex(key_from<PersonKey>(*delivery.person).bytes)];
      REQUIRE(delivery.sequence > last);
      last = delivery.sequence;
      ack.ranges.emplace_back(delivery.sequence, delivery.sequence);
    }
    const auto credit = static_cast<std::uint32_t>(ack.ranges.size());
    desk.take(desk.hub.send(kCouncil, std::move(ack)));
    desk.credit(credit);
  }
  CHECK(desk.got.size() == std::size_t{kChildren} * kOfEach);
}

TEST_CASE("what is in flight of one subscription is bounded in bytes") {
  Desk desk;
  desk.subscribe(limits::kCreditMax);
  for (int child = 1; child <= 60; ++child) {
    EventSpec spec;
    spec.child = child;
    auto event = make_event(spec);
    event.admission->reason_text.assign(400'000, 'x');
    std::vector<wire::PublishItemT> items;
    items.push_back(item_of(event));
    desk.take(desk.hub.publish(kHospital, std::move(items)));
  }
  desk.pass_ms(10);
  CHECK(desk.got.size() < 60);
  CHECK(desk.got.size() * 400'000 < limits::kInFlightBytesMax + 1'000'000);
  for (std::size_t at = 0; at < desk.got.size(); ++at) desk.ack(desk.got[at].sequence);
  CHECK(desk.got.size() == 60);
}

TEST_CASE("the child is a pseudonym of the subscription's own") {
  EngineHarness hub;
  hub.subscribe(kCouncil, kDesk, kRole);
  hub.subscribe(EngineHarness::peer(3, "march-commissioner"), "tier4-notice", "tier4-case-manager");
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(EventSpec{}));
  auto received = hub.publish(kHospital, std::move(items));
  const auto one = deliveries_of(received, kDesk);
  const auto two = deliveries_of(received, "tier4-notice");
  const auto person = key_from<PersonKey>(
      *entry_of<ledger::EventEntryT>(hub.entries(storage::EntryKind::event)[0].second).person);
  CHECK_FALSE(key_from<PersonKey>(*one.at(0).person) == key_from<PersonKey>(*two.at(0).person));
  CHECK_FALSE(key_from<PersonKey>(*one.at(0).person) == person);
}

TEST_CASE("a watch is shown what comes, recorded as offered, and leaves nothing pending") {
  EngineHarness hub;
  auto received = hub.subscribe(kCouncil, "desk", kRole, 256, false);
  CHECK(frames_of<wire::SubscribedT>(received).size() == 1);
  std::vector<wire::PublishItemT> items;
  items.push_back(item_of(EventSpec{}));
  auto published = hub.publish(kHospital, std::move(items));
  const auto seen = deliveries_of(published, "desk");
  REQUIRE(seen.size() == 1);
  bool recorded = false;
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::offered)) {
    recorded = recorded || entry_of<ledger::OfferedT>(body).subscription == "~northmarch-council:desk@2";
  }
  CHECK(recorded);
  hub.ack(kCouncil, "desk", seen[0].sequence);
  CHECK(hub.entries(storage::EntryKind::acked).empty());
  hub.disconnect(2);
  auto rows = EngineHarness::rows(hub.store);
  CHECK(std::none_of(rows.begin(), rows.end(), [](const auto& row) {
    return row.key[0] == 'q' && row.key.find('~') != std::string::npos;
  }));
}

TEST_CASE("a watch that does not keep up ends with a reason") {
  EngineHarness hub;
  hub.subscribe(kCouncil, "desk", kRole, 0, false);
  bool ended = false;
  int child = 0;
  while (!ended && child < 2 * static_cast<int>(limits::kWindowMax)) {
    std::vector<wire::PublishItemT> items;
    for (int of_batch = 0; of_batch < 1000; ++of_batch) {
      EventSpec spec;
      spec.child = ++child;
      items.push_back(item_of(spec));
    }
    auto received = hub.publish(kHospital, std::move(items));
    for (const auto& rejected : frames_of<wire::RejectedT>(received)) {
      ended = ended || rejected.kind == wire::ErrorKind::overloaded;
    }
  }
  CHECK(ended);
}

TEST_CASE("an event whose key the vault has lost stops the hub; no delivery of it is given up") {
  Desk desk;
  const auto lost = desk.publish(1);
  desk.subscribe(0);
  desk.hub.vault.lose(desk.hub.ledger.read(lost, 1, 1)->front().header.key_id);
  wire::FrameT frame;
  wire::CreditT credit;
  credit.subscription = kDesk;
  credit.amount = 1;
  frame.message.Set(std::move(credit));
  flatbuffers::FlatBufferBuilder builder;
  wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, &frame));
  core::Decision decision;
  const auto now = desk.hub.clock.now();
  REQUIRE(desk.hub.engine->handle(kCouncil, *wire::GetFrame(builder.GetBufferPointer()), now, decision));
  const auto advanced = desk.hub.engine->advance(now, decision);
  REQUIRE_FALSE(advanced.has_value());
  CHECK(advanced.error().kind == ErrorKind::corrupt);
  CHECK(desk.hub.state->take_batch().empty());
}

TEST_CASE("a failure that an outage begins with counts once; the next outages say nothing about the event") {
  Desk desk;
  desk.subscribe();
  const auto unlucky = desk.publish(1);
  for (int outage = 1; outage <= 2 * static_cast<int>(limits::kAttemptsMax); ++outage) {
    const auto before = desk.publish(100 + outage);
    const auto next = desk.publish(200 + outage);
    desk.ack(before);
    desk.nak(unlucky, NakKind::failed);
    desk.nak(next, NakKind::failed);
    // Its probe tells nothing new; then the receiver is back, and the unlucky one leaves again.
    desk.pass_ms(60'000);
    desk.nak(unlucky, NakKind::unavailable);
    desk.pass_ms(60'000);
    desk.ack(next);
    desk.pass_ms(60'000);
  }
  CHECK(desk.dead_letters() == 0);
  desk.ack(unlucky);
  CHECK(std::ranges::count(desk.sequences(), unlucky) > static_cast<int>(limits::kAttemptsMax));
}
