#include "broker/core/refused_questions.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Asking {
  EngineHarness hub;
  core::DayKeys day_keys{*hub.state, hub.vault};
  core::RefusedQuestions refused{*hub.state, day_keys};
  std::size_t written = 0;
  std::uint64_t counted = 0;  // that are not told one by one

  void ask(const core::Peer& peer) {
    ledger::AccessT access;
    access.verb = "timeline";
    const auto added = refused.add(peer, std::move(access), hub.clock.now());
    REQUIRE(added);
    take();
  }
  Timestamp pass(std::int64_t us) {
    hub.clock.set({hub.clock.now().us + us});
    auto due = refused.advance(hub.clock.now());
    REQUIRE(due);
    take();
    return *due;
  }
  void take() {
    for (const auto& drafted : hub.state->take_batch()) {
      ++written;
      const auto* access = flatbuffers::GetRoot<ledger::Body>(drafted.entry.body.data())->entry_as_Access();
      REQUIRE(access != nullptr);
      counted += access->rows();
    }
  }
};

}  // namespace

TEST_CASE("each client's refused questions are told apart, one a minute, and the rest are counted") {
  Asking asking;
  const auto council = EngineHarness::peer(2, "northmarch-council");
  asking.ask(council);
  asking.ask(council);
  // Another connection of the same client is no other client.
  asking.ask(EngineHarness::peer(7, "northmarch-council"));
  CHECK(asking.written == 1);
  asking.ask(EngineHarness::peer(3, "holm-school"));
  CHECK(asking.written == 2);
  const auto due = asking.pass(kSecondUs);
  CHECK(asking.written == 2);
  CHECK(due.us == asking.hub.clock.now().us - kSecondUs + core::RefusedQuestions::kApartUs);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.written == 3);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.written == 3);
}

TEST_CASE("more clients than anybody has are not kept in mind one by one, and are counted together") {
  Asking asking;
  constexpr auto kMore = std::uint64_t{10};
  constexpr auto kAll = core::RefusedQuestions::kClientsMax + kMore;
  for (std::size_t i = 0; i < kAll; ++i) asking.ask(EngineHarness::peer(1, "agency-" + std::to_string(i)));
  CHECK(asking.written == core::RefusedQuestions::kClientsMax);
  CHECK(asking.counted == 0);
  const auto due = asking.pass(kSecondUs);
  CHECK(due.us == asking.hub.clock.now().us - kSecondUs + core::RefusedQuestions::kApartUs);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.written == core::RefusedQuestions::kClientsMax + 1);
  CHECK(asking.counted == kMore);
  asking.pass(core::RefusedQuestions::kApartUs);
  CHECK(asking.counted == kMore);
}

namespace {

/// What an operator may have done, as a frame each, by the verb that it is on record under.
std::vector<std::pair<std::string, wire::MessageUnion>> wishes(const std::string& reason) {
  std::vector<std::pair<std::string, wire::MessageUnion>> all;
  const auto add = [&](const std::string& verb, auto frame) {
    frame.number = 3;
    frame.by = "A Person";
    frame.reason = reason;
    all.emplace_back(verb, wire::MessageUnion()).second.Set(std::move(frame));
  };
  wire::EraseT erase;
  erase.person = "nhs:" + test_nhs_number(1);
  add("erase", erase);
  wire::BackupT backup;
  backup.vault = "/srv/vaults/monday";
  add("backup", backup);
  wire::HandleSubscriptionT pause;
  pause.action = wire::SubscriptionAction::pause;
  pause.subscription = "council-duty-desk";
  add("subscription pause", pause);
  wire::HandleDeadLetterT discard;
  discard.action = wire::DeadLetterAction::discard;
  discard.subscription = "council-duty-desk";
  discard.sequence = 4;
  add("dead letter discard", discard);
  wire::ReplayT replay;
  replay.into = "council-duty-desk";
  replay.person = "nhs:" + test_nhs_number(1);
  add("replay", std::move(replay));
  return all;
}

std::vector<ledger::AccessT> accesses(const EngineHarness& hub) {
  std::vector<ledger::AccessT> found;
  for (const auto& [sequence, body] : hub.entries(storage::EntryKind::access))
    found.push_back(entry_of<ledger::AccessT>(body));
  return found;
}

}  // namespace

TEST_CASE("who is no operator and asks for what an operator may have done is on record, with what it was") {
  for (auto& [verb, frame] : wishes("because")) {
    CAPTURE(verb);
    EngineHarness hub;
    hub.send(EngineHarness::peer(2, "northmarch-council"), std::move(frame));
    const auto told = accesses(hub);
    REQUIRE(told.size() == 1);
    CHECK(told[0].verb == "refused " + verb);
    CHECK(told[0].agency == "northmarch-council");
    CHECK_THAT(told[0].by, Catch::EndsWith("/A Person"));
    CHECK(told[0].reason == "because");
    CHECK_THAT(told[0].what, Catch::Contains("only an operator"));
    CHECK_THAT(told[0].what, !Catch::Contains(test_nhs_number(1)));
    CHECK(hub.erasures.empty());
    CHECK(hub.entries(storage::EntryKind::subscription_changed).size() == hub.rules.subscriptions.size());
  }
}

TEST_CASE("an operator who does not say why is refused, and that is on record") {
  for (auto& [verb, frame] : wishes("")) {
    CAPTURE(verb);
    EngineHarness hub;
    hub.send(EngineHarness::operator_peer(9), std::move(frame));
    const auto told = accesses(hub);
    REQUIRE(told.size() == 1);
    CHECK(told[0].verb == "refused " + verb);
    CHECK(told[0].agency.empty());
    CHECK_THAT(told[0].what, Catch::Contains("say the reason"));
  }
}

TEST_CASE("who asks again and again for what an operator may have done leaves one entry a minute") {
  EngineHarness hub;
  for (int round = 0; round < 100; ++round) {
    for (auto& [verb, frame] : wishes("because"))
      hub.send(EngineHarness::peer(2, "northmarch-council"), std::move(frame));
  }
  CHECK(accesses(hub).size() == 1);
  hub.pass_ms(60'000);
  const auto told = accesses(hub);
  REQUIRE(told.size() == 2);
  CHECK(told[1].rows == 100 * wishes("").size() - 1);
}

TEST_CASE("a text that is longer than any that is kept is left out of what is written down") {
  EngineHarness hub;
  wire::EraseT erase;
  erase.person = "nhs:" + test_nhs_number(1);
  erase.by = std::string(limits::kErrorTextBytesMax + 1, 'x');
  erase.reason = std::string(5'000'000, 'y');
  hub.send(EngineHarness::peer(2, "northmarch-council"), std::move(erase));
  const auto told = accesses(hub);
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0].by, Catch::EndsWith("/(a text that is too long)"));
  CHECK(told[0].reason == "(a text that is too long)");
}
