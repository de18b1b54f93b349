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
  std::vector<std::string> notices;

  explicit Damaged(std::size_t entry_bytes_max = 600) {
    fs::create_directories(data);
    fakes::SeededRandom random(9);
    auto signer =
        storage::open_signing_key({data / "signing.key", data / "checkpoint.keys"}, "carehub/n", random);
    REQUIRE(signer);
    auto opened = storage::RocksLedger::open(data, *signer);
    REQUIRE(opened);
    std::vector<storage::SealedEntry> batch;
    for (Sequence at = 1; at <= kHead; ++at) batch.push_back(fakes::sealed_entry(kSeed, at, entry_bytes_max));
    append(*opened->ledger, std::move(batch));
    REQUIRE(opened->ledger->close());
  }

  static void append(storage::RocksLedger& ledger, std::vector<storage::SealedEntry> batch) {
    std::promise<Result<Sequence>> done;
    ledger.append(std::move(batch), [&](Result<Sequence> result) { done.set_value(std::move(result)); });
    REQUIRE(done.get_future().get());
  }

  fs::path largest(const std::string& extension) const {
    fs::path found;
    for (const auto& file : fs::directory_iterator(data / "ledger")) {
      if (file.path().extension() == extension && (found.empty() || file.file_size() > fs::file_size(found)))
        found = file.path();
    }
    return found;
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
    notices.clear();
    storage::AuditOptions options;
    options.notice = [this](const std::string& text) { notices.push_back(text); };
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

void damage_middle(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
  stream << "damage";
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
  damage_middle(ledger.largest(".sst"));
  const auto report = ledger.audit();
  CHECK(report.first_bad > 1);
  CHECK(report.faults > 0);
  CHECK(report.faults < kHead / 4);
  CHECK(report.entries == kHead);
}

TEST_CASE("of many small entries those in the damaged block are told, and no other") {
  Damaged ledger(20);
  REQUIRE(storage::RocksLedger::open(ledger.data));  // what was in the log goes into a table
  damage_middle(ledger.largest(".sst"));
  ledger.audit();
  std::vector<Sequence> told;
  for (const auto& [sequence, text] : ledger.faults) {
    if (sequence != 0) told.push_back(sequence);
  }
  auto log_end = LedgerDatabase::LogEnd::whole;
  const auto database = LedgerDatabase::open_to_read(ledger.data / "ledger", log_end);
  REQUIRE(database);
  std::vector<Sequence> unreadable;
  for (Sequence at = 1; at <= kHead; ++at) {
    if (!(*database)->entry(at)) unreadable.push_back(at);
  }
  CHECK(unreadable.size() > 64);
  CHECK(told == unreadable);
}

TEST_CASE("rows that are no entries are told, and neither hide entries nor keep the audit from its end") {
  Damaged ledger;
  std::vector<Sequence> named;
  const auto audit = [&] {
    const auto report = ledger.audit();
    for (const auto& [sequence, text] : ledger.faults) {
      if (sequence != 0) named.push_back(sequence);
    }
    return report;
  };
  SECTION("under keys that no entry has") {
    ledger.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      for (const std::string& key :
           {storage::ledger_key(5) + "x", storage::ledger_key(0), std::string("\x01"),
            storage::ledger_key(UINT64_MAX), std::string(9, '\xFF')}) {
        REQUIRE(batch.Put(key, "a row").ok());
      }
    });
    const auto report = audit();
    CHECK(report.entries == kHead);
    CHECK(report.faults == 5);
    CHECK(named.empty());
  }
  SECTION("under a number that is out of reach") {
    ledger.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      put(batch, UINT64_MAX - 1, encode(fakes::sealed_entry(kSeed, 7)));
    });
    CHECK(audit().first_bad == kHead + 1);
    CHECK(named == std::vector<Sequence>{kHead + 1, UINT64_MAX - 1});
  }
  SECTION("a long row of entries is missing, and the tree goes on by its tiles") {
    ledger.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      for (Sequence at = 100; at <= 1'500; ++at) REQUIRE(batch.Delete(storage::ledger_key(at)).ok());
    });
    CHECK(audit().faults == 1);
    CHECK(named == std::vector<Sequence>{100});
  }
}

TEST_CASE(
    "a damaged end of the log is told, and one that was cut short is no fault where the mark is reached") {
  Damaged ledger;
  fs::copy(ledger.data, ledger.work.path() / "before");
  {
    auto opened = storage::RocksLedger::open(ledger.data);
    REQUIRE(opened);
    ledger.append(*opened->ledger, fakes::sealed_batch(kSeed, kHead + 1, 5));
  }
  SECTION("damaged, and the mark does not know what followed") {
    for (const char* name : {"ledger.mark", "checkpoint"}) {
      fs::copy_file(ledger.work.path() / "before" / name, ledger.data / name,
                    fs::copy_options::overwrite_existing);
    }
    damage_middle(ledger.largest(".log"));
    const auto report = ledger.audit();
    CHECK(report.entries == kHead);
    REQUIRE(report.faults == 1);
    CHECK(ledger.faults.front().second.find("damaged batch behind entry 2000") != std::string::npos);
  }
  SECTION("cut short behind the last entry") {
    std::ofstream(ledger.largest(".log"), std::ios::binary | std::ios::app) << std::string(3, 'x');
    const auto report = ledger.audit();
    CHECK(report.entries == kHead + 5);
    CHECK(report.faults == 0);
    REQUIRE(ledger.notices.size() == 1);
    CHECK(ledger.notices.front().find("unfinished batch behind entry 2005") != std::string::npos);
  }
}

TEST_CASE("a torn slot of the mark is to note, and no fault of a whole ledger") {
  Damaged ledger;
  std::fstream mark(ledger.data / "ledger.mark", std::ios::in | std::ios::out | std::ios::binary);
  mark.seekp(2 * 4096 + 20);
  mark << "damage";
  mark.close();
  CHECK(ledger.audit().faults == 0);
  CHECK(ledger.notices.size() == 1);
}

TEST_CASE("a database is audited from inside it as from elsewhere") {
  Damaged ledger;
  const fs::path before = fs::current_path();
  fs::current_path(ledger.data / "ledger");
  const auto report = storage::audit_ledger(".", {});
  fs::current_path(before);
  REQUIRE(report);
  CHECK(report->faults == 0);
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
