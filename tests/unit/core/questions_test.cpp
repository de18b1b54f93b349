#include "broker/core/questions.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/asked_text.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using storage::EntryKind;
using wire::DeadLetterAction;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";

wire::QueryT timeline(const std::string& person, const std::string& role = "social-care-duty") {
  wire::QueryT query;
  query.number = 7;
  query.kind = wire::QueryKind::timeline;
  query.person = person;
  query.role = role;
  query.reason = "complaint 12";
  return query;
}

wire::HandleDeadLetterT handling(DeadLetterAction action, Sequence sequence) {
  wire::HandleDeadLetterT frame;
  frame.number = 5;
  frame.action = action;
  frame.subscription = kDesk;
  frame.sequence = sequence;
  frame.by = "o.perator";
  frame.reason = "partner mended its table";
  return frame;
}

wire::ErrorKind answer_to(EngineHarness& hub, const core::Peer& peer, wire::HandleDeadLetterT frame) {
  auto received = hub.send(peer, std::move(frame));
  return frames_of<wire::HandledT>(received).at(0).error;
}

wire::ErrorKind answer_to(EngineHarness& hub, const core::Peer& peer, wire::QueryT query) {
  auto received = hub.send(peer, std::move(query));
  auto pages = frames_of<wire::PageT>(received);
  return pages.empty() ? wire::ErrorKind::unknown : pages[0].error;
}

Sequence make_dead_letter(EngineHarness& hub) {
  hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto sequence = hub.publish_one(kHospital, item_of(EventSpec{})).sequence;
  hub.nak(kCouncil, kDesk, sequence, ledger::NakKind::rejected);
  return sequence;
}

ledger::AccessT last_access(const EngineHarness& hub) {
  return entry_of<ledger::AccessT>(hub.entries(EntryKind::access).back().second);
}

std::vector<ledger::AccessT> accesses(const EngineHarness& hub, const std::string& verb) {
  std::vector<ledger::AccessT> found;
  for (const auto& [sequence, body] : hub.entries(EntryKind::access)) {
    const auto& access = entry_of<ledger::AccessT>(body);
    if (access.verb == verb) found.push_back(access);
  }
  return found;
}

}  // namespace

TEST_CASE("a question about a child that the hub does not know is recorded under the identifier's hash") {
  EngineHarness hub;
  const auto number = test_nhs_number(5);
  const auto spaced = number.substr(0, 3) + " " + number.substr(3);
  REQUIRE(answer_to(hub, kCouncil, timeline("nhs:" + number)) == wire::ErrorKind::unknown);
  const auto access = last_access(hub);
  REQUIRE(access.person);
  CHECK(access.what.find(number) == std::string::npos);
  answer_to(hub, kCouncil, timeline("nhs:" + spaced));
  CHECK(key_from<KeyedHash>(*last_access(hub).person) == key_from<KeyedHash>(*access.person));
}

TEST_CASE("a name typed in place of an identifier is not written down") {
  EngineHarness hub;
  answer_to(hub, kCouncil, timeline("Jo Ashdown"));
  const auto access = last_access(hub);
  CHECK(access.person);
  CHECK((access.what + access.by + access.reason + access.role).find("Ashdown") == std::string::npos);
}

TEST_CASE("a question by entry number is recorded with the number, and with no person") {
  EngineHarness hub;
  answer_to(hub, kCouncil, timeline("sequence:5"));
  CHECK(last_access(hub).what == "sequence:5");
  CHECK_FALSE(last_access(hub).person);
}

TEST_CASE("of a question by entry number nothing but the number is written down, a replay's too") {
  EngineHarness hub;
  answer_to(hub, kCouncil, timeline("sequence:" + test_nhs_number(5) + " Jo"));
  CHECK(last_access(hub).what == "sequence:no number");
  wire::ReplayT replay;
  replay.role = "social-care-duty";
  replay.person = "sequence:5";
  replay.first = 2;
  replay.last = 3;
  replay.reason = "complaint 12";
  hub.send(kCouncil, std::move(replay));
  CHECK(last_access(hub).what == "sequence:5 entries 2 to 3");
  CHECK_FALSE(last_access(hub).person);
}

TEST_CASE("a question about a journey is recorded by the journey's keyed hash") {
  EngineHarness hub;
  const auto asked = [&hub](const std::string& journey) {
    auto query = timeline("");
    query.journey = journey;
    answer_to(hub, kCouncil, std::move(query));
    return last_access(hub).what;
  };
  const auto what = asked("J-1");
  CHECK(what == asked("J-1"));
  CHECK(what != asked("J-2"));
  CHECK(what.find("J-1") == std::string::npos);
}

TEST_CASE("a question about children names a role that the policy has, an operator's too") {
  EngineHarness hub;
  CHECK(answer_to(hub, kOperator, timeline("sequence:1", "")) == wire::ErrorKind::denied);
  CHECK(answer_to(hub, kOperator, timeline("sequence:1", "no-such-role")) == wire::ErrorKind::denied);
  CHECK(hub.asks.empty());
  CHECK(answer_to(hub, kOperator, timeline("sequence:1", "auditor")) == wire::ErrorKind::unknown);
  CHECK(hub.asks.size() == 1);
}

TEST_CASE("sealed entries are shown to an operator who says why, and the asking is recorded with its span") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::entries;
  query.sequence = 3;
  query.size = 9;
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.reason = "case review 4";
  CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::denied);
  CHECK(accesses(hub, "entries").empty());
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  CHECK(last_access(hub).verb == "entries");
  CHECK(last_access(hub).what == "as sealed from entry 3 to 9");
  CHECK(hub.asks.size() == 1);
}

TEST_CASE("why a role sees what it sees is told to an operator who says why, and is recorded by entry") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::explain;
  query.role = "social-care-duty";
  query.sequence = 5;
  query.agency = "northmarch-council";
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.reason = "complaint 12";
  CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::denied);
  CHECK(accesses(hub, "explain").empty());
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  REQUIRE(accesses(hub, "explain").size() == 1);
  CHECK(last_access(hub).what == "sequence:5 agency northmarch-council");
  CHECK(last_access(hub).role == "social-care-duty");
  CHECK(hub.asks.size() == 1);
}

TEST_CASE("an explanation is refused without an event or a role, and of a policy that is too large") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::explain;
  query.reason = "complaint 12";
  query.role = "social-care-duty";
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.sequence = 5;
  query.role = "no-such-role";
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.role.clear();
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  query.role = "drafted-role";
  query.policy.assign(core::kPolicyTextBytesMax + 1, '#');
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::invalid);
  CHECK(accesses(hub, "explain").empty());
  query.policy.pop_back();
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  CHECK(last_access(hub).what == "sequence:5 under another policy");
}

TEST_CASE("the policy itself is read by operators alone, and that is not recorded") {
  EngineHarness hub;
  wire::QueryT query;
  query.kind = wire::QueryKind::policy;
  CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::denied);
  CHECK(hub.asks.empty());
  CHECK(answer_to(hub, kOperator, query) == wire::ErrorKind::unknown);
  CHECK(hub.asks.size() == 1);
  CHECK(accesses(hub, "policy").empty());
}

TEST_CASE("the tree of hashes is shown to whoever is connected, and that is not recorded") {
  EngineHarness hub;
  for (const auto kind : {wire::QueryKind::checkpoint, wire::QueryKind::tile, wire::QueryKind::proof}) {
    wire::QueryT query;
    query.kind = kind;
    CHECK(answer_to(hub, kCouncil, std::move(query)) == wire::ErrorKind::unknown);
  }
  CHECK(hub.asks.size() == 3);
  CHECK(hub.entries(EntryKind::access).empty());
}

TEST_CASE("a question about no child is asked and leaves no Access behind") {
  EngineHarness hub;
  wire::QueryT status;
  status.kind = wire::QueryKind::status;
  answer_to(hub, kCouncil, std::move(status));
  CHECK(hub.asks.size() == 1);
  CHECK(hub.entries(EntryKind::access).empty());
}

TEST_CASE("a kind of question that this hub does not know ends with a word") {
  EngineHarness hub;
  wire::QueryT query;
  CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::invalid);
  query.kind = static_cast<wire::QueryKind>(200);
  CHECK(answer_to(hub, kCouncil, std::move(query)) == wire::ErrorKind::invalid);
  CHECK(hub.asks.empty());
}

TEST_CASE("what is asked is recorded whole or refused, so that nothing is read under another name") {
  EngineHarness hub;
  const auto spaces = std::string(2000, ' ');
  CHECK(answer_to(hub, kCouncil, timeline("nhs:" + spaces + test_nhs_number(5))) == wire::ErrorKind::invalid);
  auto query = timeline("sequence:1");
  query.reason.assign(10'000, 'r');
  CHECK(answer_to(hub, kCouncil, std::move(query)) == wire::ErrorKind::invalid);
  wire::ReplayT replay;
  replay.role = "social-care-duty";
  replay.person = "nhs:" + spaces + test_nhs_number(5);
  hub.send(kCouncil, std::move(replay));
  auto handled = handling(DeadLetterAction::discard, 1);
  handled.reason.assign(10'000, 'r');
  CHECK(answer_to(hub, kOperator, std::move(handled)) == wire::ErrorKind::invalid);
  CHECK(hub.asks.empty());
  CHECK(hub.replays.empty());
  CHECK(hub.entries(EntryKind::access).empty());
}

TEST_CASE("a replay is recorded with its span before it starts, and a preview as a preview") {
  EngineHarness hub;
  wire::ReplayT replay;
  replay.role = "social-care-duty";
  replay.first = 2;
  replay.last = 3;
  replay.reason = "complaint 12";
  hub.send(kCouncil, replay);
  CHECK(last_access(hub).verb == "replay");
  CHECK(last_access(hub).what == "entries 2 to 3");
  replay.preview = true;
  hub.send(kCouncil, std::move(replay));
  CHECK(last_access(hub).verb == "replay preview");
  CHECK(hub.replays.size() == 2);
}

TEST_CASE("a timeline and a replay are answered only with a reason") {
  EngineHarness hub;
  auto query = timeline("sequence:1");
  query.reason.clear();
  CHECK(answer_to(hub, kCouncil, std::move(query)) == wire::ErrorKind::invalid);
  wire::ReplayT replay;
  replay.role = "social-care-duty";
  auto received = hub.send(kCouncil, replay);
  CHECK(frames_of<wire::ReplayedT>(received).at(0).error == wire::ErrorKind::invalid);
  replay.preview = true;
  received = hub.send(kCouncil, std::move(replay));
  CHECK(frames_of<wire::ReplayedT>(received).at(0).error == wire::ErrorKind::invalid);
  CHECK(hub.asks.empty());
  CHECK(hub.replays.empty());
}

TEST_CASE("a question is recorded with the conditions that narrowed it") {
  EngineHarness hub;
  auto query = timeline("");
  query.agency = "elwick-hospital";
  query.types = {event::EventType::admission, event::EventType::discharge};
  query.channel = "elwick-adt";
  query.first_at = 1'767'225'600'000'000;
  query.last_at = 1'772'323'200'000'000;
  answer_to(hub, kCouncil, std::move(query));
  CHECK(last_access(hub).what ==
        "agency elwick-hospital types admission, discharge channel elwick-adt "
        "since 2026-01-01T00:00:00.000Z until 2026-03-01T00:00:00.000Z");
  wire::ReplayT replay;
  replay.role = "social-care-duty";
  replay.reason = "complaint 12";
  replay.first = 1;
  replay.last = 2;
  replay.filter = std::make_unique<ledger::FilterT>();
  replay.filter->types = {event::EventType::referral};
  replay.filter->schools = {"900101"};
  replay.filter->tiers = {3, 4};
  hub.send(kCouncil, std::move(replay));
  CHECK(last_access(hub).what == "entries 1 to 2 types referral tiers 3, 4 schools 900101");
  wire::QueryT of_all;
  of_all.kind = wire::QueryKind::as_of;
  of_all.person = "sequence:1";
  of_all.agency = core::kEveryAgency;
  of_all.at = 1'767'225'600'000'000;
  of_all.reason = "complaint 12";
  hub.send(EngineHarness::operator_peer(9), std::move(of_all));
  CHECK(last_access(hub).what == "sequence:1 every agency as of 2026-01-01T00:00:00.000Z");
}

TEST_CASE("a time that no clock shows is refused, whoever asks and whatever is asked with it") {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  for (const auto us : {std::int64_t{971'904'096'000'000'000}, kLeast, kMost}) {
    EngineHarness hub;
    auto first = timeline("sequence:1");
    first.first_at = us;
    CHECK(answer_to(hub, kCouncil, std::move(first)) == wire::ErrorKind::invalid);
    auto last = timeline("sequence:1");
    last.last_at = us;
    CHECK(answer_to(hub, kCouncil, std::move(last)) == wire::ErrorKind::invalid);
    for (const auto kind : {wire::QueryKind::as_of, wire::QueryKind::report, wire::QueryKind::trail}) {
      wire::QueryT query;
      query.kind = kind;
      query.person = "sequence:1";
      query.agency = "northmarch-council";
      query.reason = "case review 4";
      query.at = query.first_at = query.last_at = us;
      CHECK(answer_to(hub, kCouncil, query) == wire::ErrorKind::denied);
      CHECK(answer_to(hub, kOperator, std::move(query)) == wire::ErrorKind::invalid);
    }
    wire::ReplayT replay;
    replay.role = "social-care-duty";
    replay.reason = "complaint 12";
    replay.last_at = us;
    auto received = hub.send(kCouncil, replay);
    CHECK(frames_of<wire::ReplayedT>(received).at(0).error == wire::ErrorKind::invalid);
    hub.subscribe(kCouncil, kDesk, "social-care-duty");
    replay.into = kDesk;
    received = hub.send(kOperator, std::move(replay));
    CHECK(frames_of<wire::HandledT>(received).at(0).error == wire::ErrorKind::invalid);
    CHECK(hub.asks.empty());
    CHECK(hub.replays.empty());
    const auto refused = accesses(hub, "refused timeline");
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].what.find("(out of range)") != std::string::npos);
  }
}

TEST_CASE("no number of a child that is typed as a condition is written down") {
  EngineHarness hub;
  auto query = timeline("sequence:1");
  query.channel = test_nhs_number(5);
  query.agency = "nhs:" + test_nhs_number(6);
  answer_to(hub, kCouncil, std::move(query));
  const auto what = last_access(hub).what;
  CHECK(what.find(test_nhs_number(5)) == std::string::npos);
  CHECK(what.find(test_nhs_number(6)) == std::string::npos);
  CHECK(what.find("channel (a value that is not written down)") != std::string::npos);
}

TEST_CASE("who is refused a question is on record, with whom they asked about and why it was refused") {
  EngineHarness hub;
  hub.publish_one(kHospital, item_of(EventSpec{}));
  CHECK(answer_to(hub, kCouncil, timeline("nhs:" + test_nhs_number(1), "auditor")) ==
        wire::ErrorKind::denied);
  const auto refused = accesses(hub, "refused timeline");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].agency == "northmarch-council");
  CHECK(refused[0].role == "auditor");
  CHECK(refused[0].reason == "complaint 12");
  CHECK(refused[0].what.find("may not ask in this role") != std::string::npos);
  const auto events = hub.entries(EntryKind::event);
  const auto& event = entry_of<ledger::EventEntryT>(events.at(0).second);
  REQUIRE(refused[0].person);
  CHECK(key_from<PersonKey>(*refused[0].person) == key_from<PersonKey>(*event.person));
  CHECK(accesses(hub, "timeline").empty());
}

TEST_CASE("an agency that asks again and again what is not its own leaves one entry a minute, with a count") {
  EngineHarness hub;
  const auto ask = [&hub] {
    for (int i = 0; i < 500; ++i) answer_to(hub, kCouncil, timeline("sequence:1", "auditor"));
  };
  ask();
  CHECK(hub.entries(EntryKind::access).size() == 1);
  hub.pass_ms(60'000);
  const auto counted = accesses(hub, "refused questions");
  REQUIRE(counted.size() == 1);
  CHECK(counted[0].rows == 499);
  CHECK(counted[0].agency == "northmarch-council");
  ask();
  CHECK(hub.entries(EntryKind::access).size() == 2);
  hub.pass_ms(60'000);
  CHECK(accesses(hub, "refused questions").size() == 2);
  hub.pass_ms(600'000);
  CHECK(hub.entries(EntryKind::access).size() == 3);
  CHECK(answer_to(hub, kCouncil, timeline("sequence:1", "auditor")) == wire::ErrorKind::denied);
  CHECK(accesses(hub, "refused timeline").size() == 2);
}

TEST_CASE("a refused mend and an agency's hand on a dead letter are on record") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  CHECK(answer_to(hub, kCouncil, handling(DeadLetterAction::discard, sequence)) == wire::ErrorKind::denied);
  REQUIRE(accesses(hub, "refused dead letter discard").size() == 1);
  auto mended = handling(DeadLetterAction::mend, sequence);
  EventSpec another;
  another.child = 2;
  hub.publish_one(kHospital, item_of(another));
  mended.event = pack_event(make_event(another));
  CHECK(answer_to(hub, kOperator, std::move(mended)) != wire::ErrorKind::unknown);
  const auto refused = accesses(hub, "refused dead letter mend");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].by == "operator/o.perator");
  CHECK(refused[0].what.starts_with("sequence:" + std::to_string(sequence) + " subscription " + kDesk));
}

TEST_CASE("a dead letter is handled only with a reason, a known action and a number that there is") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  auto unreasoned = handling(DeadLetterAction::discard, sequence);
  unreasoned.reason.clear();
  CHECK(answer_to(hub, kOperator, std::move(unreasoned)) == wire::ErrorKind::invalid);
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::unknown, sequence)) == wire::ErrorKind::invalid);
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::discard, sequence + 1)) ==
        wire::ErrorKind::not_found);
  auto elsewhere = handling(DeadLetterAction::discard, sequence);
  elsewhere.subscription = "holm-notices";
  CHECK(answer_to(hub, kOperator, std::move(elsewhere)) == wire::ErrorKind::not_found);
  CHECK(hub.entries(EntryKind::operator_action).empty());
}

TEST_CASE("a dead letter whose subscription is gone can only be discarded") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  hub.rules.subscriptions.erase(hub.rules.subscriptions.begin());
  hub.restart();
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::send_again, sequence)) ==
        wire::ErrorKind::not_found);
  CHECK(hub.entries(EntryKind::operator_action).empty());
  const auto refused = accesses(hub, "refused dead letter send_again");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].what.ends_with(": the subscription is not there any more"));
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::discard, sequence)) == wire::ErrorKind::unknown);
  const auto actions = hub.entries(EntryKind::operator_action);
  REQUIRE(actions.size() == 1);
  CHECK(entry_of<ledger::OperatorActionT>(actions[0].second).by == "operator/o.perator");
}

TEST_CASE("what was cancelled is not sent again or mended behind its cancel, only discarded") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  EventSpec cancel;
  cancel.type = event::EventType::correction;
  hub.publish_one(kHospital, item_of(cancel));
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::send_again, sequence)) ==
        wire::ErrorKind::conflict);
  auto mended = handling(DeadLetterAction::mend, sequence);
  mended.event = pack_event(make_event(EventSpec{}));
  CHECK(answer_to(hub, kOperator, std::move(mended)) == wire::ErrorKind::conflict);
  CHECK(hub.entries(EntryKind::operator_action).empty());
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::discard, sequence)) == wire::ErrorKind::unknown);
}

TEST_CASE("a later admission's cancel does not keep the earlier one from being sent again") {
  EngineHarness hub;
  const auto sequence = make_dead_letter(hub);
  hub.publish_one(kHospital, item_of(EventSpec{}));
  EventSpec cancel;
  cancel.type = event::EventType::correction;
  hub.publish_one(kHospital, item_of(cancel));
  CHECK(answer_to(hub, kOperator, handling(DeadLetterAction::send_again, sequence)) ==
        wire::ErrorKind::unknown);
}
