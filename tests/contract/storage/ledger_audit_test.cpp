#include <rocksdb/write_batch.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <future>

#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/signing_key.hpp"
#include "broker/storage/verify_proof.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::LedgerDatabase;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSeed = 33;
constexpr Sequence kHead = 2'000;

struct Damaged {
  fakes::TemporaryDirectory work;
  fs::path data = work.path() / "data";
  std::vector<std::pair<Sequence, std::string>> faults;

  Damaged() {
    fs::create_directories(data);
    fakes::SeededRandom random(9);
    auto signer =
        storage::open_signing_key({data / "signing.key", data / "checkpoint.keys"}, "carehub/n", random);
    REQUIRE(signer);
    auto opened = storage::RocksLedger::open(data, *signer);
    REQUIRE(opened);
    std::promise<Result<Sequence>> done;
    opened->ledger->append(fakes::sealed_batch(kSeed, 1, kHead),
                           [&](Result<Sequence> result) { done.set_value(std::move(result)); });
    REQUIRE(done.get_future().get());
    REQUIRE(opened->ledger->close());
  }

  void change(const std::function<void(LedgerDatabase&, rocksdb::WriteBatch&)>& how) const {
    std::unique_ptr<LedgerDatabase> database;
    REQUIRE(LedgerDatabase::open(data / "ledger", LedgerDatabase::Mode::write,
                                 rocksdb::WALRecoveryMode::kAbsoluteConsistency, database)
                .ok());
    rocksdb::WriteBatch batch;
    how(*database, batch);
    REQUIRE(database->entries().Write({}, &batch).ok());
    REQUIRE(database->close().ok());
  }

  storage::AuditReport audit() {
    faults.clear();
    storage::AuditOptions options;
    options.fault = [this](Sequence sequence, const std::string& text) {
      faults.emplace_back(sequence, text);
    };
    const auto report = storage::audit_ledger(data, options);
    if (!report) FAIL(report.error().text);
    for (const auto& [sequence, text] : faults) UNSCOPED_INFO(sequence << ": " << text);
    CHECK(report->faults == faults.size());
    return *report;
  }
};

void put(rocksdb::WriteBatch& batch, Sequence under, const Bytes& bytes) {
  REQUIRE(batch.Put(storage::ledger_key(under), rocksdb::Slice(text_of(bytes).data(), bytes.size())).ok());
}

}  // namespace

TEST_CASE("a whole ledger verifies, and extends its signed checkpoint") {
  Damaged ledger;
  const auto report = ledger.audit();
  CHECK(report.faults == 0);
  CHECK(report.entries == kHead);
  CHECK(report.first_bad == 0);
  REQUIRE(report.extended);
  CHECK(report.extended->size == kHead);
  CHECK(report.extended->root == report.root);
  CHECK(storage::audit_ledger(ledger.data / "ledger", {})->entries == kHead);
  CHECK(storage::audit_ledger(ledger.work.path(), {}).error().kind == ErrorKind::not_found);
}

TEST_CASE("every damage is named by its sequence, and the audit goes on behind it") {
  Damaged ledger;
  SECTION("flipped, removed, swapped and replaced entries at once") {
    ledger.change([](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
      Bytes flipped = encode(fakes::sealed_entry(kSeed, 5));
      flipped.back() ^= 4U;
      put(batch, 5, flipped);
      REQUIRE(batch.Delete(storage::ledger_key(300)).ok());
      put(batch, 700, encode(fakes::sealed_entry(kSeed, 701)));
      put(batch, 701, encode(fakes::sealed_entry(kSeed, 700)));
      put(batch, 900, encode(fakes::sealed_entry(kSeed + 1, 900)));
      auto tile = database.full_tile({0, 5});
      REQUIRE(tile);
      (*tile)[9][0] ^= 1U;
      REQUIRE(database.put_tile(batch, {0, 5}, *tile).ok());
    });
    const auto report = ledger.audit();
    CHECK(report.first_bad == 5);
    std::vector<Sequence> named;
    for (const auto& [sequence, text] : ledger.faults) {
      if (sequence != 0) named.push_back(sequence);
    }
    CHECK(named == std::vector<Sequence>{5, 300, 700, 701, 900, 1290});
    CHECK(report.entries == kHead);
  }
  SECTION("a cut tail") {
    ledger.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      for (Sequence at = 1990; at <= kHead; ++at) REQUIRE(batch.Delete(storage::ledger_key(at)).ok());
    });
    const auto report = ledger.audit();
    CHECK(report.entries == 1989);
    CHECK(report.first_bad == 1990);
  }
  SECTION("a removed tile") {
    ledger.change([](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
      REQUIRE(batch.Delete(database.tree(), storage::tile_key({0, 2})).ok());
    });
    CHECK(ledger.audit().first_bad == 513);
  }
  SECTION("a clock that was set back") {
    ledger.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      auto entry = fakes::sealed_entry(kSeed, 1'950);
      entry.header.appended_at.us -= 1'000'000'000;
      entry.leaf = storage::leaf_hash(entry.header, entry.nonce, entry.ciphertext);
      put(batch, 1'950, encode(entry));
    });
    CHECK(ledger.audit().first_bad == 1'950);
  }
}

TEST_CASE("a damaged block of the file costs the entries in it, and the others are still checked") {
  Damaged ledger;
  REQUIRE(storage::RocksLedger::open(ledger.data));  // what was in the log goes into a table
  fs::path largest;
  for (const auto& file : fs::directory_iterator(ledger.data / "ledger")) {
    if (file.path().extension() == ".sst" && (largest.empty() || file.file_size() > fs::file_size(largest)))
      largest = file.path();
  }
  std::fstream stream(largest, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(fs::file_size(largest) / 2));
  stream << "damage";
  stream.close();
  const auto report = ledger.audit();
  CHECK(report.first_bad > 1);
  CHECK(report.faults > 0);
  CHECK(report.faults < kHead / 4);
  CHECK(report.entries == kHead);
}

TEST_CASE("an entry of a stopped ledger is proven under its checkpoint, and by nothing else") {
  Damaged ledger;
  const auto keys = storage::listed_keys(ledger.data / "checkpoint.keys");
  for (const Sequence sequence : {Sequence{1}, Sequence{512}, kHead}) {
    const auto text = storage::prove_entry(ledger.data, sequence);
    if (!text) FAIL(text.error().text);
    const auto proven = storage::verify::proven_entry(*storage::verify::parse_proof(*text), *keys);
    REQUIRE(proven);
    CHECK(proven->sequence == sequence);
    CHECK(proven->tree_size == kHead);
  }
  CHECK(storage::prove_entry(ledger.data, kHead + 1).error().kind == ErrorKind::not_found);
  CHECK(storage::prove_entry(ledger.data, 0).error().kind == ErrorKind::not_found);
}
