#include "broker/care/past_event.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using care::open_event;

namespace {

storage::SealedEntry sealed_at(const EngineHarness& hub, Sequence sequence) {
  return hub.ledger.read(sequence, 1, 1)->front();
}

Sequence admit(EngineHarness& hub) {
  auto event = make_event({});
  event.journey = "J1";
  return hub.publish_one(EngineHarness::peer(1, "elwick-hospital"), item_of(event)).sequence;
}

/// An event entry with this body, sealed as it should be.
storage::SealedEntry seal(EngineHarness& hub, BytesView body) {
  const auto key = *hub.vault.mint();
  hub.sealer->begin_batch();
  return *hub.sealer->seal(storage::EntryKind::event, key, 99, {1}, body);
}

}  // namespace

TEST_CASE("an event is read back with what the ledger says about it") {
  EngineHarness hub;
  const auto first = admit(hub);
  const auto second = admit(hub);
  const auto past = **open_event(sealed_at(hub, second), *hub.sealer);
  CHECK(past.sequence == second);
  CHECK(past.previous_of_person == first);
  CHECK(past.agency == "elwick-hospital");
  CHECK(past.journey == "J1");
  CHECK(past.person == (*open_event(sealed_at(hub, first), *hub.sealer))->person);
}

TEST_CASE("an event stays readable when it is moved") {
  EngineHarness hub;
  auto past = **open_event(sealed_at(hub, admit(hub)), *hub.sealer);
  const auto moved = std::move(past);
  REQUIRE(moved.event != nullptr);
  CHECK(moved.event->person()->nhs_number()->str() == test_nhs_number(1));
}

TEST_CASE("an entry that is no event, and one whose key is gone, are none and no error") {
  EngineHarness hub;
  const auto sequence = admit(hub);
  CHECK_FALSE(*open_event(sealed_at(hub, 1), *hub.sealer));
  const auto sealed = sealed_at(hub, sequence);
  REQUIRE(hub.vault.destroy({sealed.header.key_id}));
  CHECK_FALSE(*open_event(sealed, *hub.sealer));
}

TEST_CASE("an entry that does not open is corrupt") {
  EngineHarness hub;
  auto sealed = sealed_at(hub, admit(hub));
  sealed.ciphertext[0] = static_cast<std::uint8_t>(sealed.ciphertext[0] ^ 1U);
  CHECK(open_event(sealed, *hub.sealer).error().kind == ErrorKind::corrupt);
}

TEST_CASE("an entry that opens and holds no sound event is corrupt, named by its number") {
  EngineHarness hub;
  ledger::EventEntryT entry;
  entry.person = std::make_unique<ledger::Key>();
  entry.event = {1, 2, 3, 4, 5, 6, 7, 8};
  ledger::BodyT body;
  body.entry.Set(std::move(entry));
  flatbuffers::FlatBufferBuilder builder;
  ledger::FinishBodyBuffer(builder, ledger::Body::Pack(builder, &body));
  const Bytes noise(64, 0xA5);
  for (const auto bytes : {BytesView(noise), BytesView(builder.GetBufferPointer(), builder.GetSize())}) {
    const auto past = open_event(seal(hub, bytes), *hub.sealer);
    REQUIRE_FALSE(past);
    CHECK(past.error().kind == ErrorKind::corrupt);
    CHECK(past.error().text.find("entry 99 ") != std::string::npos);
  }
}
