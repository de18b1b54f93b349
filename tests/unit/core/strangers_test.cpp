#include "broker/core/strangers.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/full_vault.hpp"

using namespace carehub;
using namespace carehub::fakes;
using core::Strangers;

namespace {

struct Door {
  EngineHarness hub;
  FullVault vault{hub.vault};
  core::DayKeys day_keys{*hub.state, vault};
  Strangers strangers{*hub.state, day_keys};

  explicit Door(bool full = false) { vault.full = full; }

  /// The entries that the totals, so much later, leave behind.
  std::vector<ledger::AccessT> knock(const core::StrangerCounts& totals, std::int64_t later_us) {
    hub.clock.set({hub.clock.now().us + later_us});
    REQUIRE(strangers.note(totals, hub.clock.now()));
    std::vector<ledger::AccessT> written;
    for (const auto& drafted : hub.state->take_batch()) {
      const auto* access = flatbuffers::GetRoot<ledger::Body>(drafted.entry.body.data())->entry_as_Access();
      REQUIRE(access != nullptr);
      written.emplace_back();
      access->UnPackTo(&written.back());
      CHECK(written.back().verb == "refused strangers");
      CHECK(written.back().person == nullptr);
    }
    return written;
  }
};

}  // namespace

TEST_CASE("strangers are on record once a minute for each cause, and none of them is lost from the count") {
  Door door;
  CHECK(door.knock({}, 0).empty());
  const auto first = door.knock({1, 0}, 0);
  REQUIRE(first.size() == 1);
  CHECK(first[0].rows == 1);
  CHECK(first[0].what == "1 handshakes with a key that is not on the list");

  // A million within a minute are one entry; another cause has one of its own, at once.
  CHECK(door.knock({500'000, 0}, kSecondUs).empty());
  const auto other = door.knock({900'000, 7}, kSecondUs);
  REQUIRE(other.size() == 1);
  CHECK(other[0].rows == 7);
  CHECK(door.knock({1'000'001, 7}, Strangers::kApartUs - 3 * kSecondUs).empty());
  const auto counted = door.knock({1'000'001, 7}, kSecondUs);
  REQUIRE(counted.size() == 1);
  CHECK(counted[0].rows == 1'000'000);

  // Nothing new, nothing written, however long.
  CHECK(door.knock({1'000'001, 7}, 60 * Strangers::kApartUs).empty());
  CHECK(door.knock({1'000'002, 8}, 0).size() == 2);
}

TEST_CASE("strangers are counted on while the vault has no room, and told when it has") {
  Door door(true);
  CHECK(door.knock({3, 0}, 86'400 * kSecondUs).empty());  // a new day wants a new key
  CHECK(door.knock({5, 0}, kSecondUs).empty());
  door.vault.full = false;
  const auto told = door.knock({6, 0}, kSecondUs);
  REQUIRE(told.size() == 1);
  CHECK(told[0].rows == 6);
}
