#include "broker/server/rotate.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/server/hub.hpp"
#include "broker/server/recover.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/sealer.hpp"
#include "broker/storage/signing_key.hpp"
#include "schemas/ledger_generated.h"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

/// What a hub leaves that stopped before anything came.
struct Stopped {
  fakes::TemporaryDirectory data;
  SystemRandom random;
  storage::MasterKeySource master_key;

  Stopped() {
    REQUIRE(storage::RocksLedger::open(data.path()));
    REQUIRE(storage::open_vault(data.path() / server::kVaultFile, master_key, random));
  }
  template <class Options>
  Options options() const {
    Options options;
    options.data = data.path();
    options.master_key = master_key;
    options.by = "An Operator";
    options.reason = "a test";
    return options;
  }
  Sequence head() const {
    const auto opened = storage::RocksLedger::open(data.path());
    REQUIRE(opened);
    return opened->ledger->head();
  }
  std::vector<storage::verify::Key> keys() const {
    const auto keys = storage::listed_keys(data.path() / storage::kCheckpointKeysFile);
    REQUIRE(keys);
    return *keys;
  }
};

}  // namespace

TEST_CASE("where there is no ledger there is nothing to rotate, and nothing is made") {
  const fakes::TemporaryDirectory place;
  server::RotateOptions options;
  options.data = place.path() / "data";
  options.reason = "a test";
  const auto rotated = server::rotate_master_key(options);
  REQUIRE(!rotated);
  CHECK(rotated.error().kind == ErrorKind::not_found);
  CHECK(!std::filesystem::exists(options.data));
}

TEST_CASE(
    "no key is replaced while an accepted loss is not recorded, for its record would take a lost number") {
  const Stopped hub;
  std::ofstream(hub.data.path() / server::kLossFile) << "0 9\n";
  const auto master = server::rotate_master_key(hub.options<server::RotateOptions>());
  const auto signing = server::rotate_signing_key(hub.options<server::RotateSigningOptions>());
  for (const auto* rotated : {&master, &signing}) {
    REQUIRE(!*rotated);
    CHECK(rotated->error().kind == ErrorKind::corrupt);
    CHECK(rotated->error().text.find("recover --accept-loss") != std::string::npos);
  }
  CHECK(hub.head() == 0);
  CHECK(hub.keys().empty());
}

TEST_CASE("a state that has to be made again is no damage: a key is replaced once it is") {
  Stopped hub;
  {
    const auto store = storage::RocksStateStore::open(hub.data.path());
    REQUIRE(store);
    REQUIRE((*store)->close());
  }
  std::ofstream(hub.data.path() / "state" / "CURRENT") << "MANIFEST-999999\n";
  auto options = hub.options<server::RotateSigningOptions>();
  options.hub_name = "Northmarch";
  for (const bool remade : {false, true}) {
    const auto master = server::rotate_master_key(hub.options<server::RotateOptions>());
    const auto signing = server::rotate_signing_key(options);
    CHECK(hub.head() == (remade ? 2 : 0));
    for (const auto* rotated : {&master, &signing}) {
      REQUIRE(rotated->has_value() == remade);
      if (remade) continue;
      CHECK(rotated->error().kind == ErrorKind::conflict);
      CHECK(rotated->error().text.find("carehub rebuild") != std::string::npos);
    }
    if (!remade) REQUIRE(storage::RocksStateStore::destroy(hub.data.path()));
  }
}

TEST_CASE(
    "a new signing key is on record by its public key, and is of the hub's name where it has no origin") {
  Stopped hub;
  auto options = hub.options<server::RotateSigningOptions>();
  options.hub_name = "Northmarch";
  const auto recorded = server::rotate_signing_key(options);
  if (!recorded) FAIL(recorded.error().text);
  REQUIRE(hub.keys().size() == 1);
  CHECK(hub.keys().front().name == "carehub/northmarch");
  const auto vault = storage::open_vault(hub.data.path() / server::kVaultFile, hub.master_key, hub.random);
  const auto opened = storage::RocksLedger::open(hub.data.path());
  REQUIRE((vault && opened));
  const auto entries = opened->ledger->read(*recorded, 1, 1U << 20U);
  REQUIRE(entries);
  const auto body = storage::Sealer(*vault->vault, hub.random).open(entries->front());
  REQUIRE(body);
  const auto* action = ledger::GetBody(body->data())->entry_as_OperatorAction();
  REQUIRE(action != nullptr);
  CHECK(action->action()->str() == server::kRotateSigningAction);
  CHECK(action->by()->str() == "An Operator");
  const auto key = storage::verify::parse_key(action->detail()->str());
  REQUIRE(key);
  CHECK(key->bytes == hub.keys().front().bytes);
}

TEST_CASE("a signing key of an origin that no log may have is refused before anything is recorded") {
  const Stopped hub;
  auto options = hub.options<server::RotateSigningOptions>();
  options.origin = "two words";
  CHECK(server::rotate_signing_key(options).error().kind == ErrorKind::invalid);
  CHECK(hub.head() == 0);
  CHECK(hub.keys().empty());
}
