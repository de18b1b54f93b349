#include "broker/core/doors.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/core/desk.hpp"

using namespace carehub;
using namespace carehub::fakes;
using wire::DoorEvent;
using wire::TurnedAway;

namespace {

const core::Peer kConsole = EngineHarness::operator_peer(9);

std::unique_ptr<wire::AtDoorT> came(const std::string& account, DoorEvent event = DoorEvent::signed_in) {
  auto said = std::make_unique<wire::AtDoorT>();
  said->event = event;
  said->account = account;
  return said;
}

std::unique_ptr<wire::AtDoorT> away(TurnedAway cause, std::uint64_t count = 1) {
  auto said = std::make_unique<wire::AtDoorT>();
  said->event = DoorEvent::turned_away;
  said->cause = cause;
  said->count = count;
  return said;
}

struct Door {
  EngineHarness hub{EngineHarness::county()};

  template <class... Said>
  wire::HandledT tell(Said... said) {
    wire::TellDoorT frame;
    frame.number = 4;
    frame.door = "console";
    (frame.events.push_back(std::move(said)), ...);
    return send(std::move(frame));
  }
  wire::HandledT send(wire::TellDoorT frame, const core::Peer& peer = kConsole) {
    auto received = hub.send(peer, std::move(frame));
    auto handled = frames_of<wire::HandledT>(received);
    REQUIRE(handled.size() == 1);
    return std::move(handled.front());
  }
  /// Verb, by, what and rows of each Access, in order.
  std::vector<std::string> told() const {
    std::vector<std::string> all;
    for (const auto& [sequence, body] : hub.entries(storage::EntryKind::access)) {
      const auto& access = *body.entry.AsAccess();
      all.push_back(access.verb + "|" + access.by + "|" + access.what + "|" + std::to_string(access.rows));
    }
    return all;
  }
};

using Told = std::vector<std::string>;

}  // namespace

TEST_CASE("who signs in and out has an entry, which is there when the door is answered") {
  Door door;
  const auto in = door.tell(came("account-jo"));
  CHECK(in.error == wire::ErrorKind::unknown);
  CHECK(in.sequence > 0);
  CHECK(door.tell(came("account-jo", DoorEvent::signed_out)).sequence > in.sequence);
  CHECK(door.told() ==
        Told{"signed in|account-jo|at the console|0", "signed out|account-jo|at the console|0"});
}

TEST_CASE("who was turned away is counted: one entry a minute of each door and cause") {
  Door door;
  CHECK(door.tell(away(TurnedAway::wrong_password, 3), away(TurnedAway::no_role)).sequence == 0);
  const Told first = door.told();
  REQUIRE(first.size() == 2);
  CHECK(first[0].find("|3 turned away at the console: a wrong password|3") != std::string::npos);
  CHECK(first[0].starts_with("refused sign-in|"));
  CHECK(first[1].find("|1 turned away at the console: without a role here|1") != std::string::npos);
  for (int again = 0; again < 50; ++again) (void)door.tell(away(TurnedAway::wrong_password, 1'000'000));
  CHECK(door.told().size() == 2);
  (void)door.hub.pass_ms(60'000);
  REQUIRE(door.told().size() == 3);
  CHECK(door.told()[2].ends_with("|50000000 turned away at the console: a wrong password|50000000"));
  (void)door.hub.pass_ms(600'000);
  CHECK(door.told().size() == 3);
}

TEST_CASE("more doors than there may be are counted together") {
  Door door;
  for (int each = 0; each < 300; ++each) {
    wire::TellDoorT frame;
    frame.door = "door-" + std::to_string(each);
    frame.events.push_back(away(TurnedAway::provider));
    CHECK(door.send(std::move(frame)).error == wire::ErrorKind::unknown);
  }
  (void)door.hub.pass_ms(60'000);
  REQUIRE(door.told().size() == core::Doors::kDoorsMax + 2);
  CHECK(door.told().back().ends_with("|43 turned away at the (other doors): not by the provider|43"));
}

TEST_CASE("a flood of people who sign in is told to come later, before the next of them is in") {
  Door door;
  for (std::size_t each = 0; each < core::Doors::kEntriesMax; ++each)
    REQUIRE(door.tell(came("a" + std::to_string(each))).error == wire::ErrorKind::unknown);
  CHECK(door.tell(came("one-more")).error == wire::ErrorKind::overloaded);
  CHECK(door.told().size() == core::Doors::kEntriesMax);
  (void)door.hub.pass_ms(60'000);
  CHECK(door.tell(came("one-more")).error == wire::ErrorKind::unknown);
}

TEST_CASE("people sign in by the word of the hub's own processes alone, and who else says so is on record") {
  Door door;
  for (const char* name : {"console", "elwick-adt"}) {
    wire::TellDoorT frame;
    frame.door = name;
    frame.events.push_back(came("account-jo"));
    const auto error = door.send(std::move(frame), kHospital).error;
    CHECK(error == (name[0] == 'c' ? wire::ErrorKind::denied : wire::ErrorKind::invalid));
    (void)door.hub.pass_ms(60'000);
  }
  REQUIRE(door.told().size() == 2);
  for (const auto& told : door.told()) CHECK(told.starts_with("refused tell who signed in|"));
}

TEST_CASE("an agency tells whom its own channel turned away, and nobody else does") {
  Door door;
  const auto tell = [&](const core::Peer& peer) {
    wire::TellDoorT frame;
    frame.door = "elwick-adt";
    frame.events.push_back(away(TurnedAway::wrong_certificate, 7));
    return door.send(std::move(frame), peer).error;
  };
  CHECK(tell(kHospital) == wire::ErrorKind::unknown);
  REQUIRE(door.told().size() == 1);
  CHECK(door.told()[0].ends_with(
      "|7 turned away at the elwick-adt: no certificate of this channel's clients|7"));
  CHECK(tell(kCouncil) == wire::ErrorKind::denied);
  CHECK(tell(kConsole) == wire::ErrorKind::denied);
}

TEST_CASE("what is not whole, or holds words of somebody else's, is not written down") {
  const auto refused = [](auto change) {
    Door door;
    wire::TellDoorT frame;
    frame.door = "console";
    frame.events.push_back(came("account-jo"));
    change(frame);
    const auto error = door.send(std::move(frame)).error;
    const bool invalid = error == wire::ErrorKind::invalid || error == wire::ErrorKind::denied;
    for (const auto& entry : door.told()) {
      CHECK(entry.find("account-jo") == std::string::npos);
      CHECK(entry.find("Jo Bloggs") == std::string::npos);
    }
    return invalid && door.told().size() == 1;  // that it was refused
  };
  CHECK(refused([](wire::TellDoorT& frame) { frame.door.clear(); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.door = "Jo Bloggs"; }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.door = std::string(65, 'a'); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events.clear(); }));
  CHECK(refused([](wire::TellDoorT& frame) {
    while (frame.events.size() <= core::Doors::kEventsMax) frame.events.push_back(came("account-jo"));
  }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0]->account = "Jo Bloggs"; }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0]->account.clear(); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0]->event = DoorEvent::unknown; }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0]->cause = TurnedAway::provider; }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0]->count = 2; }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0] = away(TurnedAway::unknown); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0] = away(static_cast<TurnedAway>(99)); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0] = away(TurnedAway::provider, 0); }));
  CHECK(refused([](wire::TellDoorT& frame) { frame.events[0] = away(TurnedAway::provider, 1'000'000'001); }));
  CHECK(refused([](wire::TellDoorT& frame) {
    frame.events[0] = away(TurnedAway::provider);
    frame.events[0]->account = "account-jo";
  }));
}
