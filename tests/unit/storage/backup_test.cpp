#include "broker/storage/backup.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <thread>

#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/signing_key.hpp"
#include "broker/storage/vault_places.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSeed = 41;
const storage::BackupTold kGoOn = [](const char*, std::uint64_t, std::uint64_t) { return true; };

/// A ledger and a vault that are in use, and a place for copies.
struct InUse {
  fakes::TemporaryDirectory work;
  fs::path data = work.path() / "data";
  SystemRandom random;
  std::unique_ptr<storage::RocksLedger> ledger;
  storage::OpenedVault vault;

  InUse() {
    fs::create_directories(data);
    open();
    auto opened = storage::open_vault(data / "vault", {}, random);
    REQUIRE(opened);
    vault = std::move(*opened);
  }
  void open() {
    const auto signer =
        storage::open_signing_key({data / "signing.key", data / "checkpoint.keys"}, "carehub/n", random);
    REQUIRE(signer);
    auto opened = storage::RocksLedger::open(data, *signer);
    if (!opened) FAIL(opened.error().text);
    ledger = std::move(opened->ledger);
  }
  void append(Sequence first, std::size_t count) const {
    std::promise<Result<Sequence>> done;
    ledger->append(fakes::sealed_batch(kSeed, first, count),
                   [&](Result<Sequence> result) { done.set_value(std::move(result)); });
    REQUIRE(done.get_future().get());
  }
  storage::BackupPlan plan() const { return {data, work.path() / "ledger-copy", work.path() / "vault-copy"}; }
  Result<Sequence> back_up(const storage::BackupTold& told = kGoOn) const {
    return storage::make_backup(*ledger, vault.copy, plan(), told);
  }
};

}  // namespace

TEST_CASE("a copy that is made while the ledger is appended to is whole and holds what was durable") {
  InUse hub;
  hub.append(1, 1'000);
  const auto key = hub.vault.vault->mint();
  REQUIRE(key);
  std::atomic<bool> stop = false;
  std::atomic<Sequence> appended = 1'000;
  std::thread appender([&] {
    for (Sequence next = 1'001; !stop && next < 200'000; next += 100) {
      std::promise<Result<Sequence>> done;
      hub.ledger->append(fakes::sealed_batch(kSeed, next, 100),
                         [&](Result<Sequence> result) { done.set_value(std::move(result)); });
      if (done.get_future().get()) appended = next + 99;
    }
  });
  for (int each = 0; each < 12'000 && appended < 3'000; ++each)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const Sequence before = appended;
  std::vector<std::string> steps;
  const auto made = hub.back_up([&](const char* step, std::uint64_t done, std::uint64_t all) {
    CHECK(done <= all);
    if (steps.empty() || steps.back() != step) steps.emplace_back(step);
    return true;
  });
  stop = true;
  appender.join();
  if (!made) FAIL(made.error().text);
  CHECK(*made >= before);
  CHECK(steps.front() == "copying the ledger, bytes");
  CHECK(steps.back() == "copying the vault, bytes");

  const auto report = storage::audit_ledger(hub.plan().ledger, {});
  REQUIRE(report);
  CHECK(report->faults == 0);
  CHECK(report->entries == *made);
  REQUIRE(report->extended);
  CHECK(report->extended->size <= *made);
  for (const char* secret : {"vault", "master.key", "signing.key"})
    CHECK_FALSE(fs::exists(hub.plan().ledger / secret));
  // A hub opens the copy: its mark says what it holds.
  const auto opened = storage::RocksLedger::open(hub.plan().ledger);
  if (!opened) FAIL(opened.error().text);
  CHECK(opened->ledger->head() == *made);

  fs::copy_file(hub.data / "master.key", hub.plan().vault / "master.key");
  const auto copied = storage::open_vault(hub.plan().vault / "vault", {}, hub.random);
  REQUIRE(copied);
  CHECK(copied->notices.empty());
  REQUIRE(copied->vault->key(*key));
  CHECK(copied->vault->key(*key)->bytes() == hub.vault.vault->key(*key)->bytes());
}

TEST_CASE("an empty hub is backed up, too, and only what was asked for") {
  InUse hub;
  auto plan = hub.plan();
  plan.vault.clear();
  const auto made = storage::make_backup(*hub.ledger, hub.vault.copy, plan, kGoOn);
  if (!made) FAIL(made.error().text);
  CHECK(*made == 0);
  CHECK_FALSE(fs::exists(hub.plan().vault));
  plan = hub.plan();
  plan.ledger.clear();
  REQUIRE(storage::make_backup(*hub.ledger, hub.vault.copy, plan, kGoOn));
  CHECK(fs::exists(plan.vault / "vault"));
}

TEST_CASE("a copy that has a fault is removed again, and the first bad entry named") {
  InUse hub;
  hub.append(1, 2'000);
  REQUIRE(hub.ledger->close());
  {
    std::unique_ptr<storage::LedgerDatabase> database;
    for (const bool damage : {false, true}) {  // opened twice, so that what is changed is in no log
      REQUIRE(storage::LedgerDatabase::open(hub.data / "ledger", storage::LedgerDatabase::Mode::write,
                                            rocksdb::WALRecoveryMode::kAbsoluteConsistency, database)
                  .ok());
      if (damage) REQUIRE(database->entries().Put({}, storage::ledger_key(1'203), "not an entry").ok());
      REQUIRE(database->close().ok());
    }
  }
  hub.open();
  const auto made = hub.back_up();
  REQUIRE_FALSE(made);
  CHECK(made.error().kind == ErrorKind::corrupt);
  CHECK_THAT(made.error().text, Catch::Contains("entry 1203") && Catch::Contains("removed"));
  CHECK_FALSE(fs::exists(hub.plan().ledger));
  CHECK_FALSE(fs::exists(hub.plan().ledger.string() + storage::kUnfinished));
  CHECK_FALSE(fs::exists(hub.plan().vault));
}

TEST_CASE("where a copy of the vault is and was made is noted down, however its place was written") {
  InUse hub;
  const auto made_in = fs::canonical(hub.work.path());
  auto plan = hub.plan();
  plan.ledger.clear();
  plan.vault = plan.vault.string() + "/";
  SECTION("while it is made, beside its place") {
    std::vector<fs::path> there;
    const auto made = storage::make_backup(*hub.ledger, hub.vault.copy, plan,
                                           [&](const char*, std::uint64_t, std::uint64_t) {
                                             there = storage::vault_places(hub.data / "vault").there;
                                             return true;
                                           });
    if (!made) FAIL(made.error().text);
    CHECK(there == std::vector<fs::path>{made_in / ("vault-copy" + std::string(storage::kUnfinished))});
  }
  SECTION("once it is whole, in its place; and the copy knows of itself") {
    REQUIRE(storage::make_backup(*hub.ledger, hub.vault.copy, plan, kGoOn));
    const auto known = storage::vault_places(hub.data / "vault");
    CHECK(known.there == std::vector<fs::path>{made_in / "vault-copy"});
    CHECK(known.unknown.empty());
    const auto of_copy = storage::vault_places(plan.vault / "vault");
    CHECK(of_copy.there == std::vector<fs::path>{made_in / "data", made_in / "vault-copy"});
    CHECK(of_copy.unknown.empty());
  }
}

TEST_CASE("a backup that is stopped leaves nothing behind, at whatever step") {
  InUse hub;
  hub.append(1, 500);
  std::vector<std::string> seen;
  for (const char* at : {"copying the ledger, bytes", "copying the vault, bytes"}) {
    const auto made =
        hub.back_up([&](const char* step, std::uint64_t, std::uint64_t) { return std::string(step) != at; });
    REQUIRE_FALSE(made);
    CHECK(made.error().kind == ErrorKind::unavailable);
    CHECK_FALSE(fs::exists(hub.plan().vault));
    CHECK_FALSE(fs::exists(hub.plan().vault.string() + storage::kUnfinished));
    CHECK_FALSE(fs::exists(hub.plan().ledger.string() + storage::kUnfinished));
  }
  CHECK(fs::exists(hub.plan().ledger));  // the ledger's was whole before the vault's began
}

TEST_CASE("a backup goes neither into the data, nor the vault's into the ledger's") {
  InUse hub;
  const fs::path top = hub.work.path();
  fs::create_directory_symlink(hub.data, top / "other-name");
  const auto refused = [&](const fs::path& ledger, const fs::path& vault) {
    const auto checked = storage::check_plan({hub.data, ledger, vault});
    REQUIRE_FALSE(checked);
    CHECK(checked.error().kind == ErrorKind::invalid);
  };
  refused({}, {});
  refused("copy", {});
  refused({}, "../copy");
  refused(hub.data, {});
  refused(hub.data / "copy", {});
  refused(top, {});
  refused(top / "other-name/copy", {});
  refused({}, hub.data / "ledger/copy");
  refused(top / "a", top / "a");
  refused(top / "a", top / "a/b/c");
  refused(top / "a/b", top / "a/");
  CHECK(storage::check_plan({hub.data, top / "a/one", top / "a/two"}));
  CHECK(storage::check_plan({hub.data, top / "database", {}}));
  CHECK_FALSE(storage::make_backup(*hub.ledger, hub.vault.copy, {hub.data, top / "a", top / "a"}, kGoOn));
}

TEST_CASE("a key that is destroyed while the vault is copied is not in the copy") {
  InUse hub;
  std::vector<KeyId> keys;
  for (int each = 0; each < 3; ++each) keys.push_back(*hub.vault.vault->mint());
  bool destroyed = false;
  auto plan = hub.plan();
  plan.ledger.clear();
  const auto made =
      storage::make_backup(*hub.ledger, hub.vault.copy, plan, [&](const char*, std::uint64_t, std::uint64_t) {
        if (!destroyed) REQUIRE(hub.vault.vault->destroy({keys[1]}));
        destroyed = true;
        return true;
      });
  if (!made) FAIL(made.error().text);
  REQUIRE(destroyed);
  fs::copy_file(hub.data / "master.key", plan.vault / "master.key");
  const auto copied = storage::open_vault(plan.vault / "vault", {}, hub.random);
  REQUIRE(copied);
  CHECK(copied->vault->key(keys[0]));
  CHECK(copied->vault->key(keys[1]).error().kind == ErrorKind::not_found);
  CHECK(copied->vault->key(keys[2]));
}
