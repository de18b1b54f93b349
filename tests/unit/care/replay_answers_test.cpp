#include "broker/care/replay_answers.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
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

  care::ReplayPart replay(const core::AskReplay& ask, Sequence from = 0) const {
    care::PastReader reader(hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    reader.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    return care::ReplayAnswers(reader).answer(ask, from, limits::kDeliverItemsMax);
  }
  void publish(int child, event::EventType type = event::EventType::admission) {
    EventSpec spec;
    spec.child = child;
    spec.type = type;
    hub.publish_one(kHospital, item_of(spec));
  }
};

/// "who type matched/withheld" of each count.
std::vector<std::string> counted(const wire::ReplayedT& frame) {
  std::vector<std::string> lines;
  for (const auto& count : frame.counts) {
    lines.push_back(count->subscription + " " + std::string(event_type_name(count->type)) + " " +
                    std::to_string(count->matched) + "/" + std::to_string(count->withheld));
  }
  return lines;
}

}  // namespace

TEST_CASE("a replay is a marked stream of its own, by filter and person, and a preview only counts") {
  Past past;
  for (int child = 1; child <= 4; ++child) past.publish(child);
  past.publish(1, event::EventType::movement);
  core::AskReplay ask{kCouncil, {}};
  ask.replay.number = 4;
  ask.replay.role = "social-care-duty";
  const auto part = past.replay(ask);
  CHECK(part.frame.last);
  CHECK(part.frame.matched == 4);
  REQUIRE(part.frame.deliveries.size() == 4);
  for (const auto& delivery : part.frame.deliveries) CHECK(delivery->replay);
  ask.replay.person = "nhs:" + test_nhs_number(1);
  CHECK(past.replay(ask).frame.deliveries.size() == 1);
  ask.replay.preview = true;
  const auto preview = past.replay(ask);
  CHECK(preview.frame.matched == 1);
  CHECK(preview.frame.deliveries.empty());
}

TEST_CASE("a preview counts by subscriber and type what each would be shown, and what not") {
  Past past;
  past.publish(1);
  past.publish(2, event::EventType::discharge);
  past.publish(2, event::EventType::movement);
  core::AskReplay ask{kOperator, {}, past.hub.clock.now()};
  ask.replay.role = "auditor";
  ask.replay.preview = true;
  auto lines = counted(past.replay(ask).frame);
  const std::vector<std::string> expected = {" admission 1/0",
                                             " movement 1/0",
                                             " discharge 1/0",
                                             "council-duty-desk admission 1/0",
                                             "council-duty-desk movement 0/1",
                                             "council-duty-desk discharge 1/0",
                                             "holm-notices admission 1/0",
                                             "holm-notices movement 0/1",
                                             "holm-notices discharge 1/0"};
  REQUIRE(lines.size() > expected.size());
  CHECK(lines[expected.size()].starts_with("tier4-notice admission 1/0"));
  lines.resize(expected.size());
  CHECK(lines == expected);

  ask.replay.into = "council-duty-desk";
  ask.replay.role = "social-care-duty";
  const auto into = past.replay(ask).frame;
  CHECK(counted(into) == std::vector<std::string>(expected.begin() + 3, expected.begin() + 6));
  CHECK(into.matched == 2);
  CHECK(into.withheld == 1);
  CHECK(into.last);
  ask.replay.filter = std::make_unique<ledger::FilterT>();
  ask.replay.filter->channels = {"fenbrook-adt"};
  CHECK(counted(past.replay(ask).frame).empty());
}

TEST_CASE("a long replay goes on part by part and misses nothing") {
  Past past;
  std::vector<wire::PublishItemT> items;
  for (int child = 1; child <= 600; ++child) {
    EventSpec spec;
    spec.child = child;
    items.push_back(item_of(spec));
  }
  past.hub.publish(kHospital, std::move(items));
  core::AskReplay ask{kCouncil, {}};
  ask.replay.role = "social-care-duty";
  std::size_t got = 0;
  Sequence from = 0;
  for (int parts = 0; parts < 10; ++parts) {
    const auto part = past.replay(ask, from);
    got += part.frame.deliveries.size();
    CHECK(part.frame.deliveries.size() <= limits::kDeliverItemsMax);
    from = part.next;
    if (part.frame.last) break;
  }
  CHECK(got == 600);
}

TEST_CASE("an agency finds out nothing of what its role may not see by counts or filters") {
  Past past;
  past.publish(1);
  past.publish(1, event::EventType::movement);
  core::AskReplay ask{kCouncil, {}};
  ask.replay.role = "social-care-duty";
  ask.replay.person = "nhs:" + test_nhs_number(1);
  for (const bool preview : {false, true}) {
    ask.replay.preview = preview;
    ask.replay.filter = nullptr;
    auto part = past.replay(ask);
    CHECK(part.frame.matched == 1);
    CHECK(part.frame.withheld == 0);
    for (const auto& line : counted(part.frame)) CHECK(line.ends_with(" admission 1/0"));
    // Nor by a filter on a field that the role is not shown: the child's school.
    ask.replay.filter = std::make_unique<ledger::FilterT>();
    ask.replay.filter->schools = {"900101"};
    part = past.replay(ask);
    CHECK(part.frame.matched == 0);
    CHECK(part.frame.counts.empty());
    ask.replay.filter->schools.clear();
    ask.replay.filter->types = {event::EventType::movement};
    CHECK(past.replay(ask).frame.withheld == 0);
  }
  ask.peer = kOperator;
  ask.replay.filter = nullptr;
  CHECK(past.replay(ask).frame.withheld > 0);
}

TEST_CASE("whether the hub knows a child is not for an agency to find out by a replay") {
  Past past;
  core::AskReplay ask{kCouncil, {}};
  ask.replay.role = "social-care-duty";
  ask.replay.person = "nhs:" + test_nhs_number(5);
  const auto part = past.replay(ask);
  CHECK(part.frame.error == wire::ErrorKind::unknown);
  CHECK(part.frame.last);
  ask.peer = kOperator;
  CHECK(past.replay(ask).frame.error == wire::ErrorKind::not_found);
}
