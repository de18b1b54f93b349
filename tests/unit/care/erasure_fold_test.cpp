#include "broker/care/erasure_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/identity.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

TEST_CASE("after an erasure a rebuilt state is the live one, row by row, whatever was pending or given up") {
  Erasing past;
  past.publish(3);
  past.erase(Erasing::name(1));
  past.publish(2);
  past.erase(Erasing::name(3));
  past.check_rebuilt();
}

TEST_CASE("an erasure that was cut short is finished at the next start, from the ledger alone") {
  Erasing past;
  const auto erased = past.erase(Erasing::name(1), false, false);
  const auto key = past.hub.ledger.read(past.of_one[0], 1, 1)->front().header.key_id;
  REQUIRE(past.hub.vault.key(key));
  SECTION("with its state") { past.hub.restart(); }
  SECTION("with a state that is behind") { past.hub.restart(3); }
  SECTION("without it") { past.hub.restart_without_state(); }
  const auto keys = past.hub.state->erased_keys().value();
  CHECK(keys.size() == 2);
  REQUIRE(past.hub.vault.destroy(keys));
  CHECK(!past.opens(past.of_one[0]));
  CHECK(past.opens(past.of_two[0]));
  past.check_rebuilt();
  CHECK(erased.sequence != 0);
}

TEST_CASE("what an Erasure names is not opened from then on, though the vault cannot be written yet") {
  Erasing past;
  const auto late = past.publish(1);
  past.erase(Erasing::name(1), false, false);
  for (const auto sequence : past.of_one) CHECK(!past.opens(sequence));
  CHECK(past.hub.state->body(late).value().bytes.empty());
  for (const auto sequence : past.of_two) CHECK(past.opens(sequence));
  past.check_rebuilt();
}

TEST_CASE("a state that knows rows of what cannot be read any more asks to be made again") {
  Erasing past;
  REQUIRE(past.hub.state->flush());
  const auto hash = core::identifier_hash(past.hub.vault.index_key(), Erasing::name(1));
  const auto person = past.hub.state->linked({hash}).value().front();
  REQUIRE(person);
  care::Rows rows(past.hub.store);
  ledger::ErasureT erasure;
  erasure.person = std::make_unique<ledger::Key>(to_ledger(*person));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Erasure::Pack(builder, &erasure));
  const auto* entry = flatbuffers::GetRoot<ledger::Erasure>(builder.GetBufferPointer());
  const auto folded = care::fold_erasure({}, *entry, [](Sequence) { return core::StoredBody{}; }, {}, rows);
  REQUIRE(!folded);
  CHECK(folded.error().kind == ErrorKind::corrupt);
}

TEST_CASE("what came under another child's message id is known again once that child is erased") {
  Erasing past;
  const auto message = [](int child, int tier) {
    EventSpec spec;
    spec.child = child;
    spec.id = "one-id";
    spec.tier = tier;
    auto item = item_of(spec);
    item.on_reuse = wire::OnReuse::mark_and_keep;
    return item;
  };
  const auto publish = [&](int child, int tier) {
    return past.hub.publish_one(past.hospital, message(child, tier));
  };
  REQUIRE(publish(1, 1).outcome == wire::Outcome::receipt);
  const auto second = publish(2, 2);
  const auto third = publish(2, 3);
  REQUIRE(third.outcome == wire::Outcome::receipt);
  REQUIRE(past.erase(Erasing::name(1)).error == wire::ErrorKind::unknown);
  const auto check_known = [&] {
    for (const auto& [tier, before] : {std::pair(2, second.sequence), std::pair(3, third.sequence)}) {
      const auto again = publish(2, tier);
      CHECK(again.outcome == wire::Outcome::duplicate);
      CHECK(again.sequence == before);
    }
  };
  check_known();
  past.check_rebuilt();
  check_known();
  const auto anew = publish(1, 1);
  CHECK(anew.outcome == wire::Outcome::receipt);
  REQUIRE(past.erase(Erasing::name(2)).error == wire::ErrorKind::unknown);
  CHECK(publish(1, 1).sequence == anew.sequence);
  past.check_rebuilt();
}
