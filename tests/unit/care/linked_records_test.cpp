#include "broker/care/linked_records.hpp"

#include <catch2/catch.hpp>

#include "broker/care/history.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Linking : Erasing {
  /// Children 1 and 2 are one, it says under the first of them, or not after all.
  Sequence say(bool back) {
    EventSpec spec;
    spec.type = event::EventType::identity_merge;
    auto event = make_event(spec);
    event.identity_merge = std::make_unique<event::IdentityMergeT>();
    event.identity_merge->surviving_nhs_number = test_nhs_number(1);
    event.identity_merge->retired_nhs_number = test_nhs_number(2);
    event.identity_merge->reversed = back ? event::Answer::yes : event::Answer::no;
    return hub.publish_one(hospital, item_of(event)).sequence;
  }
  wire::PageT ask(const core::Peer& peer, wire::QueryKind kind, const std::string& person) {
    REQUIRE(hub.state->flush());
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    wire::QueryT query;
    query.kind = kind;
    query.person = person;
    query.role = peer.is_operator ? "auditor" : "social-care-duty";
    if (kind == wire::QueryKind::as_of) query.agency = "northmarch-council";
    query.at = hub.clock.now().us;
    return history.answer({peer, std::move(query)});
  }
};

}  // namespace

TEST_CASE("an answer about a child says which other record is the same child, and nobody's number") {
  Linking past;
  const auto link = past.say(false);
  const auto other = std::to_string(past.of_two.back());
  for (const auto kind : {wire::QueryKind::timeline, wire::QueryKind::as_of}) {
    const auto page = past.ask(past.asker, kind, Linking::name(1));
    REQUIRE(page.error == wire::ErrorKind::unknown);
    CHECK(page.text == "entry " + std::to_string(link) +
                           " says that another record is this child, too: ask about sequence:" + other +
                           " as well");
    CHECK(past.ask(past.asker, kind, "sequence:" + other).error == wire::ErrorKind::unknown);
  }
}

TEST_CASE("an agency is not told of other records, and a link that was taken back says nothing") {
  Linking past;
  past.say(false);
  CHECK(past.ask(past.council, wire::QueryKind::timeline, Linking::name(1)).text.empty());
  past.say(true);
  CHECK(past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1)).text.empty());
}

TEST_CASE("an event whose identifiers are of two children is pointed out") {
  Linking past;
  auto event = make_event(EventSpec{});
  auto local = std::make_unique<event::IdentifierT>();
  local->value = "H-77";
  EventSpec of_second;
  of_second.child = 2;
  auto second = make_event(of_second);
  second.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>(*local));
  past.hub.publish_one(past.hospital, item_of(second));
  event.person->local_identifiers.push_back(std::move(local));
  const auto mixed = past.hub.publish_one(past.hospital, item_of(event)).sequence;
  const auto page = past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1));
  CHECK(page.text.starts_with("the identifiers in " + std::to_string(mixed) + " belong to more than one"));
}
