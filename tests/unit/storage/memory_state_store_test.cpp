#include "broker/storage/memory_state_store.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::storage;
using namespace std::string_literals;

TEST_CASE("a crash takes the newest applies back, rows and applied sequence together") {
  MemoryStateStore store;
  REQUIRE(store.apply({{"a", "1"}}, 1));
  REQUIRE(store.sync());
  REQUIRE(store.apply({{"a", "2"}, {"b", "2"}}, 2));
  REQUIRE(store.apply({{"a", std::nullopt}}, 3));
  CHECK(store.unsynced() == 2);
  store.crash(1);
  CHECK(store.applied() == 2);
  CHECK(store.get("a").value() == "2"s);
  CHECK(store.get("b").value() == "2"s);
  REQUIRE(store.apply({{"a", "9"}}, 3));
  store.crash(0);
  CHECK(store.applied() == 2);
  CHECK(store.get("a").value() == "2"s);
}

TEST_CASE("only so many applies can be lost") {
  MemoryStateStore store;
  constexpr Sequence kApplies = 100;
  for (Sequence applied = 1; applied <= kApplies; ++applied) REQUIRE(store.apply({{"a", "x"}}, applied));
  store.crash(0);
  CHECK(store.applied() == kApplies - MemoryStateStore::kUnsyncedMax);
}
