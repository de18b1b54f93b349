#pragma once

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

namespace carehub::fakes {

/// Two children with events that were taken, given up, and wait, and each with a message that was refused.
struct Erasing {
  static constexpr const char* kDesk = "council-duty-desk";
  const core::Peer hospital = EngineHarness::peer(1, "elwick-hospital");
  const core::Peer council = EngineHarness::peer(2, "northmarch-council");
  const core::Peer asker = EngineHarness::operator_peer(9);
  EngineHarness hub;
  std::vector<Sequence> of_one, of_two;

  Erasing() {
    hub.subscribe(council, kDesk, "social-care-duty", 64);
    for (int round = 0; round < 3; ++round) {
      of_one.push_back(publish(1));
      of_two.push_back(publish(2));
    }
    hub.ack(council, kDesk, of_one[0]);
    hub.nak(council, kDesk, of_two[0], ledger::NakKind::rejected);
    hub.nak(council, kDesk, of_one[1], ledger::NakKind::rejected);
    refuse(1);
    refuse(2);
  }

  Sequence publish(int child) {
    EventSpec spec;
    spec.child = child;
    return hub.publish_one(hospital, item_of(spec)).sequence;
  }
  void refuse(int child) {
    EventSpec spec;
    spec.child = child;
    auto event = make_event(spec);
    event.type = event::EventType::crisis_contact;  // without its payload
    CHECK(hub.publish_one(hospital, item_of(event)).outcome == wire::Outcome::refused);
  }
  /// A link or merge of two children, filed under the first named, or what takes one back.
  Sequence link(int under, int other, bool back = false, bool as_link = false) {
    EventSpec spec;
    spec.child = under;
    spec.type = as_link ? event::EventType::identity_link : event::EventType::identity_merge;
    auto event = make_event(spec);
    const auto reversed = back ? event::Answer::yes : event::Answer::no;
    if (as_link) {
      event.identity_link = std::make_unique<event::IdentityLinkT>();
      auto identifier = std::make_unique<event::IdentifierT>();
      identifier->value = test_nhs_number(other);
      event.identity_link->identifiers.push_back(std::move(identifier));
      event.identity_link->reversed = reversed;
    } else {
      event.identity_merge = std::make_unique<event::IdentityMergeT>();
      event.identity_merge->surviving_nhs_number = test_nhs_number(under);
      event.identity_merge->retired_nhs_number = test_nhs_number(other);
      event.identity_merge->reversed = reversed;
    }
    const auto published = hub.publish_one(hospital, item_of(event));
    REQUIRE(published.outcome == wire::Outcome::receipt);
    return published.sequence;
  }
  wire::ErasedT erase(const std::string& person, bool preview = false, bool destroy = true) {
    wire::EraseT frame;
    frame.person = person;
    frame.reason = "asked for by the family";
    frame.by = "A Person";
    frame.preview = preview;
    return hub.erase(asker, std::move(frame), destroy);
  }
  static std::string name(int child) { return "nhs:" + test_nhs_number(child); }
  bool opens(Sequence sequence) const {
    return hub.sealer->open(hub.ledger.read(sequence, 1, 1)->front()).has_value();
  }
  std::vector<storage::Row> live() {
    REQUIRE(hub.state->flush());
    return EngineHarness::rows(hub.store);
  }
  /// A state that is made again from the ledger has the same rows.
  void check_rebuilt() {
    const auto left = live();
    hub.restart_without_state();
    const auto right = EngineHarness::rows(hub.store);
    REQUIRE(left.size() == right.size());
    for (std::size_t at = 0; at < left.size(); ++at) {
      CHECK(left[at].key == right[at].key);
      CHECK(left[at].value == right[at].value);
    }
  }
};

}  // namespace carehub::fakes
