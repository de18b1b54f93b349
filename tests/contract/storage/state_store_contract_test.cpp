#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <random>

#include "broker/storage/memory_state_store.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::RowChange;
using storage::StateStore;
using namespace std::string_literals;

namespace {

struct MemorySide {
  storage::MemoryStateStore memory;
  StateStore& store() { return memory; }
  void reopen() {
    REQUIRE(memory.close());
    memory.crash(0);
  }
};

struct RocksSide {
  fakes::TemporaryDirectory data;
  std::unique_ptr<storage::RocksStateStore> rocks;
  RocksSide() { open(); }
  StateStore& store() { return *rocks; }
  void open() {
    auto opened = storage::RocksStateStore::open(data.path());
    if (!opened) FAIL(opened.error().text);
    rocks = std::move(*opened);
  }
  void reopen() {
    REQUIRE(rocks->close());
    rocks.reset();
    open();
  }
};

std::vector<std::string> keys(const Result<std::vector<storage::Row>>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows.value()) out.push_back(row.key);
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("rows are put, replaced and removed together with the applied sequence", "", MemorySide,
                   RocksSide) {
  TestType side;
  REQUIRE(side.store().applied() == 0);
  REQUIRE(side.store().apply({{"a", "1"}, {"b", "2"}, {"c", ""}}, 3));
  REQUIRE(side.store().apply({{"a", "9"}, {"b", std::nullopt}}, 5));
  const auto check = [&] {
    CHECK(side.store().get("a").value() == "9"s);
    CHECK(side.store().get("b").value() == std::nullopt);
    CHECK(side.store().get("c").value() == ""s);
    CHECK(side.store().get("applied").value() == std::nullopt);
    CHECK(side.store().applied() == 5);
  };
  check();
  side.reopen();
  check();
}

TEMPLATE_TEST_CASE("a scan keeps to its prefix, starts where it is told and ends at its bound", "",
                   MemorySide, RocksSide) {
  TestType side;
  REQUIRE(side.store().apply({{"p", "0"},
                              {"p\x01", "1"},
                              {"p\x7f", "2"},
                              {"p\xff", "3"},
                              {"p\xff\xff", "4"},
                              {"q", "5"},
                              {"o", "6"}},
                             1));
  using Keys = std::vector<std::string>;
  CHECK(keys(side.store().scan("p", "", 100)) == Keys{"p", "p\x01", "p\x7f", "p\xff", "p\xff\xff"});
  CHECK(keys(side.store().scan("p", "p\x02", 100)) == Keys{"p\x7f", "p\xff", "p\xff\xff"});
  CHECK(keys(side.store().scan("p", "p\x01", 2)) == Keys{"p\x01", "p\x7f"});
  CHECK(keys(side.store().scan("p\xff", "", 100)) == Keys{"p\xff", "p\xff\xff"});
  CHECK(keys(side.store().scan("", "p\xff\xff", 100)) == Keys{"p\xff\xff", "q"});
  CHECK(keys(side.store().scan("p", "q", 100)).empty());
  CHECK(keys(side.store().scan("p", "", 0)).empty());
}

TEMPLATE_TEST_CASE("rows that come in the order of entries are scanned among the others, by their keys", "",
                   MemorySide, RocksSide) {
  TestType side;
  const std::string ordered(storage::kOrderedRows);
  REQUIRE(side.store().apply(
      {{"n/1", "0"}, {ordered, "1"}, {ordered + "1", "2"}, {ordered + "2", "3"}, {"o", "4"}, {"p/1", "5"}},
      1));
  REQUIRE(side.store().apply({{ordered + "1", std::nullopt}, {ordered + "3", "6"}}, 2));
  using Keys = std::vector<std::string>;
  const auto check = [&] {
    CHECK(side.store().get(ordered + "2").value() == "3");
    CHECK(side.store().get(ordered + "1").value() == std::nullopt);
    CHECK(keys(side.store().scan(ordered, ordered + "2", 100)) == Keys{ordered + "2", ordered + "3"});
    CHECK(keys(side.store().scan("o", "", 100)) == Keys{"o", ordered, ordered + "2", ordered + "3"});
    CHECK(keys(side.store().scan("", "n/2", 3)) == Keys{"o", ordered, ordered + "2"});
    CHECK(keys(side.store().scan("", "", 100)) ==
          Keys{"n/1", "o", ordered, ordered + "2", ordered + "3", "p/1"});
    CHECK(side.store().applied() == 2);
  };
  check();
  side.reopen();
  check();
}

TEMPLATE_TEST_CASE("a store holds what a map would hold after random changes", "", MemorySide, RocksSide) {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  fakes::SeededRandom random(seed);
  TestType side;
  std::map<std::string, std::string> model;
  for (Sequence applied = 1; applied <= 300; ++applied) {
    std::vector<RowChange> changes;
    for (std::uint64_t at = random.below(8); at > 0; --at) {
      const std::string key =
          (random.below(2) == 0 ? std::string(storage::kOrderedRows) : "") + std::to_string(random.below(40));
      if (random.below(3) == 0) {
        changes.push_back({key, std::nullopt});
        model.erase(key);
      } else {
        changes.push_back({key, std::to_string(random.next())});
        model[key] = *changes.back().value;
      }
    }
    REQUIRE(side.store().apply(changes, applied));
    if (random.below(60) == 0) side.reopen();
  }
  const auto rows = side.store().scan("", "", 1000);
  REQUIRE(rows->size() == model.size());
  auto at = rows->begin();
  for (const auto& [key, value] : model) {
    CHECK(at->key == key);
    CHECK((at++)->value == value);
  }
}

TEMPLATE_TEST_CASE("a closed store answers unavailable", "", MemorySide, RocksSide) {
  TestType side;
  REQUIRE(side.store().close());
  CHECK(side.store().get("a").error().kind == ErrorKind::unavailable);
  CHECK(side.store().scan("", "", 1).error().kind == ErrorKind::unavailable);
  CHECK(side.store().apply({}, 1).error().kind == ErrorKind::unavailable);
}

TEST_CASE("what was synced is in the files, with its applied sequence") {
  RocksSide side;
  REQUIRE(side.store().apply({{"a", "1"}}, 7));
  const auto held_after_power_cut = [&] {
    fakes::TemporaryDirectory copy;
    std::filesystem::copy(side.data.path(), copy.path(), std::filesystem::copy_options::recursive);
    return storage::RocksStateStore::open(copy.path()).value()->applied();
  };
  CHECK(held_after_power_cut() == 0);
  REQUIRE(side.store().sync());
  REQUIRE(side.store().sync());
  CHECK(held_after_power_cut() == 7);
}

TEST_CASE("a damaged state is reported as corrupt, and destroyed it starts anew") {
  fakes::TemporaryDirectory data;
  {
    auto store = storage::RocksStateStore::open(data.path());
    REQUIRE((*store)->apply({{"a", "1"}}, 1));
  }
  const auto in_use = storage::RocksStateStore::open(data.path());
  REQUIRE(in_use);
  const auto second = storage::RocksStateStore::open(data.path());
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::unavailable);
  REQUIRE((*in_use)->close());

  std::ofstream(data.path() / "state" / "CURRENT") << "MANIFEST-999999\n";
  const auto damaged = storage::RocksStateStore::open(data.path());
  REQUIRE(!damaged);
  CHECK(damaged.error().kind == ErrorKind::corrupt);

  REQUIRE(storage::RocksStateStore::destroy(data.path()));
  const auto anew = storage::RocksStateStore::open(data.path());
  REQUIRE(anew);
  CHECK((*anew)->applied() == 0);
  CHECK((*anew)->get("a").value() == std::nullopt);
}
