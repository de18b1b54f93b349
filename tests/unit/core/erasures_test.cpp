#include "broker/core/erasures.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

TEST_CASE("an erasure takes a child's events and refusals, and leaves everybody else's") {
  Erasing past;
  const auto preview = past.erase(Erasing::name(1), true);
  CHECK(preview.error == wire::ErrorKind::unknown);
  CHECK(preview.events == 3);
  CHECK(preview.refusals == 1);
  CHECK(preview.sequence == 0);
  const auto refused = past.hub.entries(storage::EntryKind::refusal).front().first;
  CHECK(preview.text == "the refused messages are entries " + std::to_string(refused));
  CHECK(past.opens(past.of_one[0]));
  CHECK(past.hub.entries(storage::EntryKind::erasure).empty());
  CHECK(past.hub.entries(storage::EntryKind::access).size() == 1);

  const auto erased = past.erase(Erasing::name(1));
  CHECK(erased.error == wire::ErrorKind::unknown);
  CHECK(erased.complete);
  CHECK(erased.events == 3);
  CHECK(erased.refusals == 1);
  for (const auto sequence : past.of_one) CHECK(!past.opens(sequence));
  for (const auto sequence : past.of_two) CHECK(past.opens(sequence));
  CHECK(past.hub.entries(storage::EntryKind::refusal).size() == 1);
  const auto entries = past.hub.entries(storage::EntryKind::erasure);
  REQUIRE(entries.size() == 2);
  CHECK(entries.front().first == erased.sequence);
  const auto& entry = entry_of<ledger::ErasureT>(entries.front().second);
  CHECK(entry.keys.size() == 2);
  CHECK(!entry.complete);
  CHECK(entry.reason == "asked for by the family");
  const auto& last = entry_of<ledger::ErasureT>(entries.back().second);
  CHECK(last.complete);
  CHECK(last.keys.size() == 2);
  CHECK(past.erase(Erasing::name(1)).error == wire::ErrorKind::not_found);
}

TEST_CASE("what waited or was given up for an erased child is settled, and the others go on") {
  Erasing past;
  const auto before = past.hub.state->pending(Erasing::kDesk, 0, 100).value();
  REQUIRE(std::ranges::any_of(before, [&](const auto& one) { return one.sequence == past.of_one[2]; }));
  REQUIRE(past.hub.state->dead_letter(Erasing::kDesk, past.of_one[1]).value());
  past.erase(Erasing::name(1));
  const auto after = past.hub.state->pending(Erasing::kDesk, 0, 100).value();
  CHECK(after.size() + 1 == before.size());
  CHECK(!past.hub.state->dead_letter(Erasing::kDesk, past.of_one[1]).value());
  CHECK(past.hub.state->dead_letter(Erasing::kDesk, past.of_two[0]).value());
  // An answer to what was in flight is nobody's; the other child's is taken.
  past.hub.ack(past.council, Erasing::kDesk, past.of_one[2]);
  past.hub.ack(past.council, Erasing::kDesk, past.of_two[1]);
  CHECK(!past.hub.state->pending(Erasing::kDesk, 0, 100).value().empty());
  auto sent = past.hub.pass_ms(1000);
  for (const auto& each : deliveries_of(sent, Erasing::kDesk)) CHECK(each.sequence != past.of_one[2]);
}

TEST_CASE("a new event after an erasure is a new person's, under a new key") {
  Erasing past;
  past.erase(Erasing::name(1));
  const auto fresh = past.publish(1);
  CHECK(past.opens(fresh));
  const auto events = past.hub.entries(storage::EntryKind::event);
  const auto& entry = entry_of<ledger::EventEntryT>(events.back().second);
  CHECK(entry.new_person);
  CHECK(entry.previous_of_person == 0);
  CHECK(past.erase(Erasing::name(1)).events == 1);
}

TEST_CASE(
    "whom a preview and a refused erasure are about is on record, by the record or the entry's number") {
  Erasing past;
  past.erase(Erasing::name(1), true);
  wire::EraseT frame;
  frame.person = "sequence:" + std::to_string(past.of_two[0]);
  frame.reason = "because";
  frame.by = "A Person";
  CHECK(past.hub.erase(past.hospital, frame).error == wire::ErrorKind::denied);
  const auto asked = past.hub.entries(storage::EntryKind::access);
  REQUIRE(asked.size() == 2);
  const auto preview = entry_of<ledger::AccessT>(asked[0].second);
  CHECK(preview.verb == "erase preview");
  CHECK(preview.person != nullptr);
  const auto refused = entry_of<ledger::AccessT>(asked[1].second);
  CHECK(refused.verb == "refused erase");
  CHECK(refused.what.starts_with(frame.person + " "));
}

TEST_CASE("only an operator erases, with a reason and a name, and somebody whom the hub knows") {
  Erasing past;
  wire::EraseT frame;
  frame.person = Erasing::name(1);
  frame.reason = "because";
  frame.by = "A Person";
  CHECK(past.hub.erase(past.hospital, frame).error == wire::ErrorKind::denied);
  frame.reason.clear();
  CHECK(past.hub.erase(past.asker, frame).error == wire::ErrorKind::invalid);
  frame.reason = "because";
  frame.by.clear();
  CHECK(past.hub.erase(past.asker, frame).error == wire::ErrorKind::invalid);
  CHECK(past.erase(Erasing::name(77)).error == wire::ErrorKind::not_found);
  CHECK(past.erase("nhs:1").error == wire::ErrorKind::invalid);
  CHECK(past.erase("sequence:999999").error == wire::ErrorKind::not_found);
  CHECK(past.erase("sequence:" + std::to_string(past.of_two[0]), true).events == 3);
  CHECK(past.hub.entries(storage::EntryKind::erasure).empty());
}

TEST_CASE(
    "an erasure can be asked for once more by its own number, once older copies of the vault are gone") {
  Erasing past;
  const auto first = past.erase(Erasing::name(1));
  const auto again = past.erase("sequence:" + std::to_string(first.sequence));
  CHECK(again.error == wire::ErrorKind::unknown);
  CHECK(again.complete);
  CHECK(past.hub.entries(storage::EntryKind::erasure).size() == 4);
  past.check_rebuilt();
}

TEST_CASE("an erasure is on record as complete only once the keys are gone") {
  Erasing past;
  past.erase(Erasing::name(1), false, false);
  const auto entries = past.hub.entries(storage::EntryKind::erasure);
  REQUIRE(entries.size() == 1);
  CHECK(!entry_of<ledger::ErasureT>(entries.front().second).complete);
}

TEST_CASE("a refused message that cannot be unpacked is told of, and no erasure is complete beside it") {
  Erasing past;
  wire::PublishItemT unread;
  unread.channel = "elwick-adt";
  unread.problem = std::make_unique<wire::ProblemT>();
  unread.problem->code = "unmapped";
  unread.original = {1, 2, 3};
  SECTION("it is no zstd") { unread.original_codec = 1; }
  SECTION("it is of a codec that nobody knows") { unread.original_codec = 2; }
  REQUIRE(past.hub.publish_one(past.hospital, std::move(unread)).outcome == wire::Outcome::refused);
  const auto erased = past.erase(Erasing::name(1));
  CHECK(!erased.complete);
  CHECK(erased.text.find("1 refused messages cannot be unpacked") != std::string::npos);
  CHECK(past.hub.entries(storage::EntryKind::refusal).size() == 2);
  const auto again = past.erase("sequence:" + std::to_string(erased.sequence));
  CHECK(!again.complete);
  CHECK(again.text.find("1 refused messages cannot be unpacked") != std::string::npos);
  CHECK(!past.erase("sequence:" + std::to_string(again.sequence)).complete);
  past.check_rebuilt();
}

TEST_CASE("an erased child's event that was the probe of an outage does not shut the receiver off") {
  Erasing past;
  past.hub.nak(past.council, Erasing::kDesk, past.of_two[1], ledger::NakKind::unavailable);
  past.hub.nak(past.council, Erasing::kDesk, past.of_one[2], ledger::NakKind::unavailable);
  const auto next = [&] {
    for (int second = 0; second < 100; ++second) {
      auto sent = past.hub.pass_ms(1000);
      const auto deliveries = deliveries_of(sent, Erasing::kDesk);
      if (!deliveries.empty()) return deliveries.front().sequence;
    }
    return Sequence{0};
  };
  const auto probe = next();
  REQUIRE(probe != 0);
  const bool first_child = std::ranges::find(past.of_one, probe) != past.of_one.end();
  past.erase(Erasing::name(first_child ? 1 : 2));
  past.hub.ack(past.council, Erasing::kDesk, probe);
  const auto other = next();
  const auto& others = first_child ? past.of_two : past.of_one;
  CHECK(std::ranges::find(others, other) != others.end());
}

TEST_CASE("while the vault cannot be written, a replay leaves out what is erased on record") {
  Erasing past;
  past.erase(Erasing::name(1), false, false);
  wire::ReplayT replay;
  replay.into = Erasing::kDesk;
  replay.by = "An Operator";
  replay.reason = "a test";
  auto received = past.hub.send(past.asker, std::move(replay));
  const auto made = frames_of<wire::HandledT>(received).at(0).subscription;
  REQUIRE(!made.empty());
  past.hub.pass_ms(1000);
  std::size_t offered = 0;
  const auto waits = past.hub.state->pending(made, 0, 100).value();
  for (const auto& pending : waits) {
    ++offered;
    CHECK(std::ranges::find(past.of_one, pending.sequence) == past.of_one.end());
  }
  CHECK(offered == past.of_two.size());
}

TEST_CASE("a refused message is found by the numbers in its bytes, spaced or not, and not by short ones") {
  const auto named = [](const std::string& original, const std::vector<std::string>& names) {
    ledger::RefusalT refusal;
    refusal.original.assign(original.begin(), original.end());
    refusal.original_media_type = "x-application/hl7-v2+er7";
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(ledger::Refusal::Pack(builder, &refusal));
    return core::names_any(*flatbuffers::GetRoot<ledger::Refusal>(builder.GetBufferPointer()), names) ==
           core::Naming::yes;
  };
  const auto number = test_nhs_number(1);
  const auto spaced = number.substr(0, 3) + " " + number.substr(3, 3) + " " + number.substr(6);
  CHECK(named("PID|1||" + number + "^^^NHS", {"nhs:" + number}));
  CHECK(named("PID|1||" + spaced, {"nhs:" + number}));
  CHECK(!named("PID|1||" + test_nhs_number(2), {"nhs:" + number}));
  CHECK(named("PID|1||MRN-77881", {"local:RZX01:MRN-77881"}));
  CHECK(!named("PID|1||12345", {"local:RZX01:12345"}));
  CHECK(!named("", {"nhs:" + number}));
  CHECK(!named("PID", {}));
  // A part of a longer number, a time or a word is somebody else's.
  const std::vector<std::string> six = {"local:RZX01:120000"};
  CHECK(named("PID|1||120000^^^RZX01", six));
  CHECK(!named("MSH|^~\\&|A|B|C|D|20260301120000||ADT^A01", six));
  CHECK(!named("PID|1||51200001", six));
  CHECK(!named("OBX|20260301.120000+0000", six));
  CHECK(!named("PID|1||120000-7", six));
  CHECK(!named("PID|1||12 00 00", six));
  CHECK(!named("PID|1||5" + number, {"nhs:" + number}));
  CHECK(named("call 1 " + spaced + " 2", {"nhs:" + number}));
  // Nor is what many have in common.
  CHECK(!named("PID|1||UNKNOWN", {"local:RZX01:UNKNOWN"}));
  CHECK(!named("PID|1||000000", {"local:RZX01:000000"}));
  // An issuer may be a URI.
  CHECK(named("PID|1||MRN77881", {"local:https://fhir.example/id:MRN77881"}));
  CHECK(named("PID|1||MRN77881", {"local:urn:oid:1.2.3:MRN77881"}));
  CHECK(!named("PID|1||XY:77881", {"local:RZX01:AB:77881"}));
}

TEST_CASE("a replay that is under way leaves an erased child out and comes to its end") {
  Erasing past;
  wire::ReplayT replay;
  replay.into = Erasing::kDesk;
  replay.by = "An Operator";
  replay.reason = "a test";
  replay.rate_per_minute = 60;
  auto received = past.hub.send(past.asker, std::move(replay));
  const auto made = frames_of<wire::HandledT>(received).at(0).subscription;
  REQUIRE(!made.empty());
  past.hub.pass_ms(1500);
  past.erase(Erasing::name(1));
  auto sent = past.hub.pass_ms(120'000);
  for (const auto& each : deliveries_of(sent, made)) {
    CHECK(std::ranges::find(past.of_one, each.sequence) == past.of_one.end());
  }
  const auto left = past.hub.state->pending(made, 0, 100).value();
  for (const auto& pending : left) {
    CHECK(std::ranges::find(past.of_one, pending.sequence) == past.of_one.end());
  }
  past.check_rebuilt();
}
