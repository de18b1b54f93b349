#include "broker/care/child_facts_rows.hpp"

#include <catch2/catch.hpp>

#include "broker/base/random.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "broker/storage/memory_vault.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

core::ChildFact fact(Sequence entry) {
  core::ChildFact fact;
  fact.kind = core::ChildFactKind::school;
  fact.entry = entry;
  fact.at = {1'000};
  fact.agency = "northmarch-council";
  fact.codes = {"777123"};
  fact.from_us = -5;
  fact.until_us = 7;
  return fact;
}

PersonKey person(std::uint32_t number) {
  PersonKey key;
  for (std::size_t at = 0; at < 4; ++at) key.bytes[at] = static_cast<std::uint8_t>(number >> (8 * at));
  return key;
}

struct Kept {
  storage::MemoryStateStore store;
  SystemRandom random;
  storage::MemoryVault vault{random};
  storage::Sealer sealer{vault, random};
  Rows rows{store, &sealer};
  KeyId key = *vault.mint();
  Sequence head = 0;

  void write() {
    rows.seal(++head);
    REQUIRE(rows.write_leaving());
    rows.left();
  }
  std::vector<core::ChildFact> known(std::uint32_t number) { return *rows.child_facts().get(person(number)); }
  std::vector<core::ChildFact> stored(std::uint32_t number) {
    return *stored_child_facts(store, sealer, person(number));
  }
};

}  // namespace

TEST_CASE("what is known of a child is read from where it stands: gathering, leaving or the store") {
  Kept kept;
  auto& facts = kept.rows.child_facts();
  CHECK(kept.known(1).empty());
  facts.put(person(1), kept.key, {fact(1)});
  CHECK(kept.known(1) == std::vector{fact(1)});
  CHECK(kept.stored(1).empty());
  kept.rows.seal(1);
  kept.head = 1;
  CHECK(kept.known(1) == std::vector{fact(1)});
  facts.put(person(1), kept.key, {fact(1), fact(2)});
  CHECK(kept.known(1) == std::vector{fact(1), fact(2)});
  REQUIRE(kept.rows.write_leaving());
  kept.rows.left();
  CHECK(kept.stored(1) == std::vector{fact(1)});
  CHECK(kept.known(1) == std::vector{fact(1), fact(2)});
  kept.write();
  CHECK(kept.stored(1) == std::vector{fact(1), fact(2)});
  CHECK(kept.known(1) == std::vector{fact(1), fact(2)});
}

TEST_CASE("what was opened lately gives way to what is put, and to an erasure") {
  Kept kept;
  auto& facts = kept.rows.child_facts();
  facts.put(person(1), kept.key, {fact(1)});
  kept.write();
  REQUIRE(kept.known(1) == std::vector{fact(1)});
  facts.put(person(1), kept.key, {fact(2)});
  CHECK(kept.known(1) == std::vector{fact(2)});
  kept.write();
  CHECK(kept.known(1) == std::vector{fact(2)});
  facts.remove(person(1));
  CHECK(kept.known(1).empty());
  kept.write();
  CHECK(kept.known(1).empty());
  CHECK_FALSE(*kept.store.get(row_keys::child_facts(person(1))));
}

TEST_CASE("a row whose key is gone when it leaves is left out, and what stood there goes") {
  Kept kept;
  auto& facts = kept.rows.child_facts();
  facts.put(person(1), kept.key, {fact(1)});
  facts.put(person(2), *kept.vault.mint(), {fact(2)});
  kept.write();
  facts.put(person(1), kept.key, {fact(3)});
  REQUIRE(kept.vault.destroy({kept.key}));
  kept.write();
  CHECK_FALSE(*kept.store.get(row_keys::child_facts(person(1))));
  CHECK(kept.stored(2) == std::vector{fact(2)});
}

TEST_CASE("of many children each one's own is known, however many were asked for since") {
  Kept kept;
  constexpr std::uint32_t kMany = 20'000;
  for (std::uint32_t number = 0; number < kMany; ++number)
    kept.rows.child_facts().put(person(number), kept.key, {fact(number + 1)});
  kept.write();
  for (std::uint32_t step : {1U, 7U, 5'000U}) {
    for (std::uint32_t number = 0; number < kMany; number += step) {
      const auto known = kept.known(number);
      REQUIRE(known.size() == 1);
      REQUIRE(known.front().entry == number + 1);
    }
  }
}
