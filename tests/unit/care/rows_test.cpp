#include "broker/care/rows.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <map>

#include "broker/care/row_codec.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

using Model = std::map<std::string, std::string>;

void require_same(const Rows& rows, const Model& model, const std::string& from, std::size_t rows_max) {
  const auto found = rows.scan("k/", from, rows_max);
  REQUIRE(found.has_value());
  auto expected = model.lower_bound(from);
  for (const auto& row : *found) {
    REQUIRE(expected != model.end());
    REQUIRE(row.key == expected->first);
    REQUIRE(row.value == expected->second);
    REQUIRE(*rows.get(row.key) == row.value);
    ++expected;
  }
  REQUIRE((found->size() == rows_max || expected == model.end()));
}

}  // namespace

TEST_CASE("rows laid over the store read as if they were in it, whatever is written when") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom random(seed);
    storage::MemoryStateStore store;
    Rows rows(store);
    Model model;
    Model sealed;
    Sequence head = 0;
    for (int step = 0; step < 400; ++step) {
      // Rows of an entry's own come and go beside rows that may have been there before.
      const bool born = random.below(2) == 0;
      const auto number = born ? head + 1 - std::min<Sequence>(head, random.below(12)) : random.below(40);
      const auto key = (born ? "k/e" : "k/") + std::to_string(number);
      switch (random.below(5)) {
        case 0:
          rows.remove(key);
          model.erase(key);
          ++head;
          break;
        case 1:
          if (rows.leaving()) {
            REQUIRE(rows.write_leaving());
            if (random.below(2) == 0) require_same(rows, model, "k/", 1'000);
            rows.left();
            REQUIRE(store.applied() == rows.sealed());
            const auto stored = StoredRows(store).scan("k/", "", 1'000);
            REQUIRE(stored->size() == sealed.size());
            for (const auto& row : *stored) REQUIRE(sealed.at(row.key) == row.value);
          } else {
            rows.seal(head);
            sealed = model;
            REQUIRE(rows.gathered() == 0);
          }
          break;
        default:
          rows.put(key, std::to_string(step), born ? number : 0);
          model[key] = std::to_string(step);
          ++head;
      }
      require_same(rows, model, "k/" + std::to_string(random.below(40)), 1 + random.below(45));
    }
  }
  std::cout << "seeds 1 to 20\n";
}

TEST_CASE("a row that comes and goes while its layer gathers never reaches the store") {
  storage::MemoryStateStore store;
  Rows rows(store);
  rows.put("k/7", "a", 7);
  rows.remove("k/7");
  CHECK(rows.gathered() == 0);
  rows.put("k/7", "b", 7);
  rows.seal(7);
  rows.remove("k/7");
  CHECK(rows.gathered() == 1);
  REQUIRE(rows.write_leaving());
  rows.left();
  CHECK(*store.get("k/7") == "b");
  CHECK_FALSE(rows.get("k/7")->has_value());
  rows.put("k/7", "c", 7);  // the store has one already: its removal must be written
  rows.remove("k/7");
  rows.seal(8);
  REQUIRE(rows.write_leaving());
  rows.left();
  CHECK_FALSE(store.get("k/7")->has_value());
}

TEST_CASE("a row that is cut short is noticed") {
  const auto row = RowWriter().number(std::uint64_t{7}).text("abc").time(-5).take();
  RowReader whole(row);
  CHECK(whole.number<std::uint64_t>() == 7);
  CHECK(whole.text() == "abc");
  CHECK(whole.time() == -5);
  CHECK(whole.ok());
  RowReader cut(std::string_view(row).substr(0, 10));
  cut.number<std::uint64_t>();
  CHECK(cut.text().empty());
  CHECK_FALSE(cut.ok());
}
