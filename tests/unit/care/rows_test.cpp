#include "broker/care/rows.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <map>

#include "broker/care/row_codec.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::care;

TEST_CASE("rows laid over the store read as if they were in it, whatever is written when") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom random(seed);
    storage::MemoryStateStore store;
    Rows rows(store);
    std::map<std::string, std::string> model;
    Sequence sequence = 0;
    for (int step = 0; step < 400; ++step) {
      const auto key = "k/" + std::to_string(random.below(40));
      switch (random.below(4)) {
        case 0:
          rows.remove(key);
          model.erase(key);
          rows.end_entry(++sequence);
          break;
        case 1: {
          const auto head = sequence - random.below(3);
          if (sequence > 3 && head > store.applied()) REQUIRE(rows.write(head));
          break;
        }
        default:
          rows.put(key, std::to_string(step));
          model[key] = std::to_string(step);
          rows.end_entry(++sequence);
      }
      const auto from = "k/" + std::to_string(random.below(40));
      const auto rows_max = 1 + random.below(45);
      const auto found = rows.scan("k/", from, rows_max);
      REQUIRE(found.has_value());
      auto expected = model.lower_bound(from);
      for (const auto& row : *found) {
        REQUIRE(expected != model.end());
        REQUIRE(row.key == expected->first);
        REQUIRE(row.value == expected->second);
        ++expected;
      }
      REQUIRE((found->size() == rows_max || expected == model.end()));
    }
  }
  std::cout << "seeds 1 to 20\n";
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
