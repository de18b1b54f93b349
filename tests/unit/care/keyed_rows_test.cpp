#include "broker/care/keyed_rows.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

std::string key_of(std::uint64_t number) {
  PersonKey bytes;
  bytes.bytes[0] = static_cast<std::uint8_t>(number);
  bytes.bytes[15] = static_cast<std::uint8_t>(number >> 8U);
  switch (number % 3) {
    case 0: return row_keys::person(bytes);
    case 1: return row_keys::link({bytes.bytes});
    default: return row_keys::identity({bytes.bytes});
  }
}

}  // namespace

TEST_CASE("persons, identifiers and messages read as what was written last, whatever is in the store when") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom random(seed);
    storage::MemoryStateStore store;
    auto rows = std::make_unique<Rows>(store);
    std::map<std::string, std::string> model;
    Sequence head = 0;
    for (int step = 0; step < 2'000; ++step) {
      const auto key = key_of(random.below(600));
      switch (random.below(6)) {
        case 0:
          rows->remove(key);
          model.erase(key);
          ++head;
          break;
        case 1:
        case 2: {
          const std::string value(random.below(53), static_cast<char>('a' + random.below(26)));
          rows->put(key, value);
          model[key] = value;
          ++head;
          break;
        }
        case 3:
          if (random.below(20) != 0) break;
          if (!rows->leaving()) rows->seal(head);
          if (random.below(2) == 0) break;
          REQUIRE(rows->write_leaving());
          rows->left();
          break;
        default: {
          const auto found = rows->get(key);
          REQUIRE(found);
          const auto expected = model.find(key);
          REQUIRE(found->has_value() == (expected != model.end()));
          if (*found) REQUIRE(**found == expected->second);
        }
      }
    }
    if (rows->leaving()) {
      REQUIRE(rows->write_leaving());
      rows->left();
    }
    rows->seal(head);
    REQUIRE(rows->write_leaving());
    // All of it is in the store, and nothing else, in key order.
    const auto stored = store.scan("", "", 10'000);
    REQUIRE(stored->size() == model.size());
    for (const auto& row : *stored) CHECK(model[row.key] == row.value);
  }
}

TEST_CASE("what is not about persons, identifiers or messages is kept in order elsewhere") {
  CHECK(KeyedRows::keeps(key_of(0)));
  CHECK(KeyedRows::keeps(key_of(1)));
  CHECK(KeyedRows::keeps(key_of(2)));
  CHECK_FALSE(KeyedRows::keeps(row_keys::fingerprint({})));
  CHECK_FALSE(KeyedRows::keeps(row_keys::pending("sixteen-chars-xx", 1)));
  CHECK_FALSE(KeyedRows::keeps(row_keys::shown(1, "council")));
  CHECK_FALSE(KeyedRows::keeps(row_keys::subscription("sixteen-chars-xx")));
  CHECK_FALSE(KeyedRows::keeps("p/"));
}
