#include "broker/care/history.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "broker/base/event_fields.hpp"
#include "broker/care/past_event.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);

struct Past {
  EngineHarness hub;

  std::unique_ptr<care::History> history() {
    auto history = std::make_unique<care::History>(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault,
                                                   hub.rules.agencies);
    history->use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    return history;
  }
  Sequence publish(int child, event::EventType type = event::EventType::admission,
                   const std::string& journey = {}) {
    EventSpec spec;
    spec.child = child;
    spec.type = type;
    auto event = make_event(spec);
    event.journey = journey;
    return hub.publish_one(kHospital, item_of(event)).sequence;
  }
  wire::PageT ask(const core::Peer& peer, wire::QueryT query) {
    return history()->answer({peer, std::move(query)});
  }
  wire::PageT timeline(const core::Peer& peer, const std::string& person, const std::string& role,
                       std::uint32_t rows_max = 0, std::uint64_t after = 0) {
    wire::QueryT query;
    query.number = 3;
    query.kind = wire::QueryKind::timeline;
    query.person = person;
    query.role = role;
    query.rows_max = rows_max;
    query.after = after;
    return ask(peer, std::move(query));
  }
};

std::vector<Sequence> events_of(const wire::PageT& page) {
  std::vector<Sequence> sequences;
  for (const auto& row : page.rows) {
    if (row->kind == "event") sequences.push_back(row->sequence);
  }
  return sequences;
}

using Sequences = std::vector<Sequence>;

}  // namespace

TEST_CASE("a child's timeline is newest first, found by number or by any of its entries") {
  Past past;
  const auto first = past.publish(1);
  past.publish(2);
  const auto second = past.publish(1, event::EventType::discharge);
  const auto by_number = past.timeline(kOperator, "nhs:" + test_nhs_number(1), "auditor");
  CHECK(by_number.number == 3);
  CHECK(events_of(by_number) == Sequences{second, first});
  CHECK_FALSE(by_number.more);
  const auto by_entry = past.timeline(kOperator, "sequence:" + std::to_string(first), "auditor");
  CHECK(events_of(by_entry) == Sequences{second, first});
}

TEST_CASE("a timeline goes on page by page") {
  Past past;
  Sequences published;
  for (int round = 0; round < 5; ++round) published.push_back(past.publish(1));
  Sequences seen;
  std::uint64_t after = 0;
  for (int page = 0; page < 10; ++page) {
    const auto got = past.timeline(kCouncil, "nhs:" + test_nhs_number(1), "social-care-duty", 2, after);
    for (const auto sequence : events_of(got)) seen.push_back(sequence);
    if (!got.more) break;
    after = got.next_after;
  }
  CHECK(seen == Sequences(published.rbegin(), published.rend()));
}

TEST_CASE("a timeline shows what the role may see, and leaves out what it may not") {
  Past past;
  const auto admission = past.publish(1);
  past.publish(1, event::EventType::movement);
  const auto page = past.timeline(kCouncil, "nhs:" + test_nhs_number(1), "social-care-duty");
  CHECK(events_of(page) == Sequences{admission});
  const auto& row = *page.rows[0];
  const auto* view = verified_event(row.view);
  REQUIRE(view != nullptr);
  CHECK(view->admission() != nullptr);
  CHECK((view->person() == nullptr || view->person()->birth_date() == nullptr));
  CHECK_FALSE(row.legal_basis.empty());
}

TEST_CASE("a timeline says to whom each event was offered and who took it") {
  Past past;
  past.hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  const auto sequence = past.publish(1);
  past.hub.ack(kCouncil, "council-duty-desk", sequence);
  const auto page = past.timeline(kOperator, "nhs:" + test_nhs_number(1), "auditor");
  std::string desk;
  std::string school;
  for (const auto& row : page.rows) {
    if (row->subscription == "council-duty-desk") desk = row->kind;
    if (row->subscription == "holm-notices") school = row->kind;
  }
  CHECK(desk == "acked");
  CHECK(school == "offered");
  const auto council = past.timeline(kCouncil, "nhs:" + test_nhs_number(1), "social-care-duty");
  for (const auto& row : council.rows) CHECK(row->subscription != "holm-notices");
}

TEST_CASE("what was mended is shown to its subscription's agency and to operators, and replayed to no role") {
  Past past;
  constexpr const char* kDesk = "council-duty-desk";
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto original = past.publish(1);
  past.hub.nak(kCouncil, kDesk, original, ledger::NakKind::rejected);
  wire::HandleDeadLetterT frame;
  frame.action = wire::DeadLetterAction::mend;
  frame.subscription = kDesk;
  frame.sequence = original;
  frame.event = pack_event(make_event(EventSpec{}));
  frame.reason = "a wrong code";
  past.hub.send(kOperator, std::move(frame));
  const auto mended = past.hub.entries(storage::EntryKind::event).back().first;
  REQUIRE(mended > original);
  const auto child = "nhs:" + test_nhs_number(1);
  const auto commissioner = EngineHarness::peer(3, "march-commissioner");

  for (const auto& page :
       {past.timeline(kOperator, child, "auditor"), past.timeline(kCouncil, child, "social-care-duty")}) {
    CHECK(events_of(page) == Sequences{mended, original});
    CHECK(page.rows[0]->text == "stands in for entry " + std::to_string(original));
    CHECK(page.rows[0]->subscription == kDesk);
    CHECK(page.rows[0]->marks == std::vector<ledger::Mark>{ledger::Mark::mended});
  }
  CHECK(events_of(past.timeline(commissioner, child, "tier4-case-manager")) == Sequences{original});
  wire::QueryT scan;
  scan.kind = wire::QueryKind::timeline;
  scan.agency = "elwick-hospital";
  scan.role = "tier4-case-manager";
  CHECK(events_of(past.ask(commissioner, scan)).empty());  // whose the event is, is not shown to it
  scan.role = "social-care-duty";
  CHECK(events_of(past.ask(commissioner, scan)) == Sequences{original});
  scan.role = "auditor";
  CHECK(events_of(past.ask(kOperator, scan)) == Sequences{original, mended});

  core::AskReplay replay;
  replay.peer = kOperator;
  replay.replay.role = "auditor";
  const auto part = past.history()->replay(replay, 1);
  REQUIRE(part.frame.deliveries.size() == 1);
  CHECK(part.frame.deliveries[0]->sequence == original);
  CHECK(part.frame.withheld == 0);
  replay.replay.preview = true;
  std::map<std::string, std::uint64_t> matched;
  for (const auto& count : past.history()->replay(replay, 1).frame.counts)
    matched[count->subscription] += count->matched;
  CHECK(matched[kDesk] == 2);
  CHECK(matched["tier4-notice"] == 1);
  CHECK(matched[""] == 1);
  replay.replay.into = "tier4-notice";
  CHECK(past.history()->replay(replay, 1).frame.matched == 1);
}

TEST_CASE("a timeline ends with a word where an entry has been erased") {
  Past past;
  const auto sequence = past.publish(1);
  REQUIRE(past.hub.vault.destroy({past.hub.ledger.read(sequence, 1, 1)->front().header.key_id}));
  const auto page = past.timeline(kOperator, "nhs:" + test_nhs_number(1), "auditor");
  CHECK(events_of(page).empty());
  CHECK(page.text ==
        "entry " + std::to_string(sequence) + ": " + care::kErasedText + ", and with it what came before");
  const auto by_entry = past.timeline(kOperator, "sequence:" + std::to_string(sequence), "auditor");
  REQUIRE(by_entry.rows.size() == 1);
  CHECK(by_entry.rows[0]->kind == "erased");
  CHECK(by_entry.rows[0]->sequence == sequence);
  CHECK(past.timeline(kCouncil, "sequence:" + std::to_string(sequence), "social-care-duty").rows.empty());
  const auto kept = past.publish(2);
  wire::QueryT scan;
  scan.kind = wire::QueryKind::timeline;
  scan.agency = "elwick-hospital";
  scan.role = "auditor";
  const auto all = past.ask(kOperator, scan);
  CHECK(events_of(all) == Sequences{kept});
  REQUIRE(all.rows.size() > 1);
  CHECK(all.rows.front()->kind == "erased");
  CHECK(all.rows.front()->text == care::kErasedText);
  CHECK(all.rows.front()->sequence == sequence);
}

TEST_CASE("a journey and an agency are found by a bounded scan, oldest first") {
  Past past;
  const auto one = past.publish(1, event::EventType::admission, "journey-1");
  past.publish(2, event::EventType::admission, "journey-2");
  const auto two = past.publish(1, event::EventType::discharge, "journey-1");
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.journey = "journey-1";
  query.role = "auditor";
  CHECK(events_of(past.ask(kOperator, query)) == Sequences{one, two});
  query.journey.clear();
  query.agency = "elwick-hospital";
  CHECK(events_of(past.ask(kOperator, query)).size() == 3);
  query.agency.clear();
  CHECK(past.ask(kOperator, query).error == wire::ErrorKind::invalid);
}

TEST_CASE("dead letters are listed to their own agency and to operators, page by page") {
  Past past;
  past.hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  for (int child = 1; child <= 3; ++child) {
    past.hub.nak(kCouncil, "council-duty-desk", past.publish(child), ledger::NakKind::rejected);
  }
  wire::QueryT query;
  query.kind = wire::QueryKind::dead_letters;
  query.rows_max = 2;
  const auto page = past.ask(kOperator, query);
  REQUIRE(page.rows.size() == 2);
  CHECK(page.more);
  CHECK(page.rows[0]->text == "test");
  query.after = page.next_after;
  const auto rest = past.ask(kCouncil, query);
  CHECK(rest.rows.size() == 1);
  CHECK_FALSE(rest.more);
  query.after = 0;
  CHECK(past.ask(EngineHarness::peer(4, "holm-school"), query).rows.empty());
}

TEST_CASE("subscriptions and status say how much waits") {
  Past past;
  const auto sequence = past.publish(1);
  past.publish(2);
  wire::QueryT query;
  query.kind = wire::QueryKind::subscriptions;
  const auto page = past.ask(kCouncil, query);
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->pending == 2);
  CHECK(page.rows[0]->sequence == sequence);
  query.kind = wire::QueryKind::status;
  const auto status = past.ask(kOperator, query);
  REQUIRE(status.rows.size() == 5);
  CHECK(status.rows[0]->sequence == past.hub.ledger.head());
}

TEST_CASE("a replay into a subscription is listed with what it goes into and how far it is") {
  Past past;
  past.publish(1);
  wire::ReplayT replay;
  replay.into = "council-duty-desk";
  replay.reason = "a test";
  auto received = past.hub.send(kOperator, std::move(replay));
  const auto name = frames_of<wire::HandledT>(received).at(0).subscription;
  const auto listed = [&] {
    wire::QueryT query;
    query.kind = wire::QueryKind::subscriptions;
    const auto page = past.ask(kOperator, std::move(query));
    const auto row =
        std::ranges::find_if(page.rows, [&](const auto& one) { return one->subscription == name; });
    REQUIRE(row != page.rows.end());
    return **row;
  };
  CHECK(listed().state == "on its way");
  CHECK(listed().role == "social-care-duty");
  CHECK(listed().text.starts_with("a replay of entries 1 to "));
  CHECK(listed().text.ends_with(", looked at up to 0: offered 0, taken 0, withheld 0"));
  past.hub.subscribe(kCouncil, "council-duty-desk", "social-care-duty");
  past.hub.pass_ms(1'000);
  CHECK(listed().text.ends_with(": offered 1, taken 0, withheld 0"));
}

TEST_CASE("large views are split over parts and pages that a frame holds, and none is missed") {
  Past past;
  constexpr std::size_t kLetters = 9;
  Sequences published;
  for (std::size_t letter = 0; letter < kLetters; ++letter) {
    EventSpec spec;
    spec.type = event::EventType::referral;
    auto event = make_event(spec);
    if (!event.referral) event.referral = std::make_unique<event::ReferralT>();
    event.referral->narrative.assign(limits::kProseBytesMax - letter, 'x');
    published.push_back(past.hub.publish_one(kHospital, item_of(event)).sequence);
  }
  const auto history = past.history();

  core::AskReplay ask{kOperator, {}};
  ask.replay.role = "auditor";
  Sequences replayed;
  std::uint64_t matched = 0;
  Sequence from = 0;
  for (int parts = 0; parts < 20; ++parts) {
    const auto part = history->replay(ask, from);
    REQUIRE(part.frame.error == wire::ErrorKind::unknown);
    std::size_t bytes = 0;
    for (const auto& delivery : part.frame.deliveries) {
      bytes += delivery->view.size();
      replayed.push_back(delivery->sequence);
    }
    CHECK(bytes <= limits::kDeliverBytesMax);
    matched += part.frame.matched;
    from = part.next;
    if (part.frame.last) break;
  }
  CHECK(replayed == published);
  CHECK(matched == kLetters);

  const auto paged = [&](bool by_agency) {
    wire::QueryT query;
    query.kind = wire::QueryKind::timeline;
    query.role = "auditor";
    (by_agency ? query.agency : query.person) =
        by_agency ? std::string("elwick-hospital") : "nhs:" + test_nhs_number(1);
    Sequences seen;
    for (int pages = 0; pages < 20; ++pages) {
      const auto page = past.ask(kOperator, query);
      REQUIRE(page.error == wire::ErrorKind::unknown);
      std::size_t bytes = 0;
      for (const auto& row : page.rows) bytes += row->view.size();
      CHECK(bytes <= limits::kDeliverBytesMax);
      for (const auto sequence : events_of(page)) seen.push_back(sequence);
      if (!page.more) break;
      query.after = page.next_after;
    }
    std::ranges::sort(seen);
    return seen;
  };
  CHECK(paged(false) == published);
  CHECK(paged(true) == published);
}

TEST_CASE("a timeline holds the types, channel and times asked for, and says when each happened") {
  Past past;
  const auto admission = past.publish(1);
  past.hub.pass_ms(1'000);
  const auto later = past.hub.clock.now();
  const auto discharge = past.publish(1, event::EventType::discharge);
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = "nhs:" + test_nhs_number(1);
  query.role = "auditor";
  CHECK(events_of(past.ask(kOperator, query)) == Sequences{discharge, admission});
  auto typed = query;
  typed.types = {event::EventType::admission};
  CHECK(events_of(past.ask(kOperator, typed)) == Sequences{admission});
  auto since = query;
  since.first_at = later.us;
  CHECK(events_of(past.ask(kOperator, since)) == Sequences{discharge});
  auto until = query;
  until.last_at = later.us - 1;
  CHECK(events_of(past.ask(kOperator, until)) == Sequences{admission});
  auto channel = query;
  channel.channel = "another";
  CHECK(events_of(past.ask(kOperator, channel)).empty());
  wire::QueryT sent = since;
  sent.person.clear();
  sent.agency = "elwick-hospital";
  CHECK(events_of(past.ask(kOperator, sent)) == Sequences{discharge});
  sent.first_at = 0;
  sent.last_at = later.us - 1;
  CHECK(events_of(past.ask(kOperator, sent)) == Sequences{admission});
}

TEST_CASE("whether the hub knows a child is not for an agency to find out by a timeline") {
  Past past;
  past.publish(1, event::EventType::movement);  // which the council's role may not see
  const auto unknown = past.timeline(kCouncil, "nhs:" + test_nhs_number(5), "social-care-duty");
  const auto known = past.timeline(kCouncil, "nhs:" + test_nhs_number(1), "social-care-duty");
  CHECK(unknown.error == known.error);
  CHECK(unknown.text == known.text);
  CHECK(unknown.rows.empty());
  CHECK(known.rows.empty());
  CHECK(past.timeline(kOperator, "nhs:" + test_nhs_number(5), "auditor").error == wire::ErrorKind::not_found);
}

TEST_CASE("the policy that decides is told whole, with its version") {
  Past past;
  past.publish(1);
  care::History history(*past.hub.state, past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                        past.hub.rules.agencies);
  const auto version = past.hub.entries(storage::EntryKind::policy_changed).back().first;
  history.use_policy(*core::Disclosure::parse_policy(past.hub.rules.policy_text, "policy.toml", version));
  wire::QueryT query;
  query.kind = wire::QueryKind::policy;
  const auto page = history.answer({kOperator, query});
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->policy_version == version);
  CHECK(page.rows[0]->text == past.hub.rules.policy_text);
  history.use_policy(*core::Disclosure::parse_policy(past.hub.rules.policy_text, "policy.toml", 4711));
  CHECK(history.answer({kOperator, query}).error == wire::ErrorKind::corrupt);
}
