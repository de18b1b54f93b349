#include <rocksdb/write_batch.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <fstream>
#include <future>
#include <iterator>
#include <mutex>
#include <thread>

#include "broker/storage/proofs.hpp"
#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_recovery.hpp"
#include "broker/storage/signing_key.hpp"
#include "broker/storage/verify_note.hpp"
#include "broker/storage/verify_tree.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::LedgerDatabase;
using storage::RocksLedger;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSeed = 21;
constexpr Sequence kHead = 66'000;  // 257 full tiles, one of them of the second level
const std::string kOrigin = "carehub/northmarch";

Result<Sequence> append(storage::Ledger& ledger, std::vector<storage::SealedEntry> batch) {
  std::promise<Result<Sequence>> outcome;
  ledger.append(std::move(batch), [&](Result<Sequence> result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

storage::CheckpointSigner signer_of(const fs::path& data, const std::string& origin = kOrigin) {
  fs::create_directories(data);
  fakes::SeededRandom random(std::hash<std::string>()(data.string()));
  auto signer = storage::open_signing_key({data / "signing.key", data / "checkpoint.keys"}, origin, random);
  if (!signer) FAIL(signer.error().text);
  return *signer;
}

std::unique_ptr<RocksLedger> open(const fs::path& data) {
  auto opened = RocksLedger::open(data, signer_of(data));
  if (!opened) FAIL(opened.error().text);
  CHECK(opened->notices.empty());
  return std::move(opened->ledger);
}

void fill(const fs::path& data, Sequence from, Sequence to, std::uint64_t seed = kSeed) {
  const auto ledger = open(data);
  for (Sequence at = from; at <= to; at += 1000) {
    std::vector<storage::SealedEntry> batch;
    for (Sequence one = at; one < at + 1000 && one <= to; ++one) {
      batch.push_back(fakes::sealed_entry(seed, one, 20));
    }
    REQUIRE(append(*ledger, std::move(batch)));
  }
  REQUIRE(ledger->close());
}

/// Sixty-six thousand small entries, made once for all tests here.
const fs::path& whole() {
  static const fakes::TemporaryDirectory work;
  static const fs::path data = [] {
    fs::path made = work.path() / "data";
    fill(made, 1, kHead);
    return made;
  }();
  return data;
}

using Change = std::function<void(LedgerDatabase&, rocksdb::WriteBatch&)>;

/// Changes rows behind the hub's back, with the database's own checksums intact.
void change_rows(const fs::path& data, const Change& how) {
  std::unique_ptr<LedgerDatabase> database;
  REQUIRE(LedgerDatabase::open(data / "ledger", LedgerDatabase::Mode::write,
                               rocksdb::WALRecoveryMode::kAbsoluteConsistency, database)
              .ok());
  rocksdb::WriteBatch batch;
  how(*database, batch);
  rocksdb::WriteOptions options;
  options.sync = true;
  REQUIRE(database->entries().Write(options, &batch).ok());
  REQUIRE(database->close().ok());
}

Result<storage::LedgerLoss> loss_of(const fs::path& data) {
  return storage::find_loss(data, [](const storage::SealedEntry&) { return Result<void>(); });
}

struct Copy {
  fakes::TemporaryDirectory work;
  fs::path data = work.path() / "data";
  Copy() { fs::copy(whole(), data, fs::copy_options::recursive); }

  void change(const Change& how) const { change_rows(data, how); }

  Error refused() const {
    const auto opened = RocksLedger::open(data, signer_of(data));
    REQUIRE(!opened);
    CHECK(opened.error().kind == ErrorKind::corrupt);
    return opened.error();
  }
};

/// Whenever the ledger has written what it was given, more waits already: it never falls quiet.
class NeverQuiet {
 public:
  explicit NeverQuiet(storage::Ledger& ledger) : ledger_(ledger) {
    for (int each = 0; each < 4; ++each) append_one();
  }
  ~NeverQuiet() { stop(); }
  NeverQuiet(const NeverQuiet&) = delete;
  NeverQuiet& operator=(const NeverQuiet&) = delete;

  /// The last one, once it is written.
  Sequence stop() {
    std::unique_lock lock(mutex_);
    stops_ = true;
    ended_.wait(lock, [&] { return waiting_ == 0; });
    return last_;
  }

 private:
  void append_one() {
    const std::lock_guard lock(mutex_);
    if (stops_) return;
    ++waiting_;
    ledger_.append(fakes::sealed_batch(kSeed, ++last_, 1), [this](const Result<Sequence>& written) {
      if (written) append_one();
      const std::lock_guard done(mutex_);
      stops_ = stops_ || !written;
      --waiting_;
      ended_.notify_all();
    });
  }

  storage::Ledger& ledger_;
  std::recursive_mutex mutex_;  // what is refused is told of within append()
  std::condition_variable_any ended_;
  int waiting_ = 0;
  bool stops_ = false;
  Sequence last_ = 0;
};

bool says(const Error& error, const std::string& text) {
  UNSCOPED_INFO(error.text);
  return error.text.find(text) != std::string::npos;
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a ledger signs a checkpoint that every entry is proven against, and that lies outside it") {
  const Copy copy;
  const auto ledger = open(copy.data);
  const auto text = ledger->checkpoint();
  REQUIRE(text);
  CHECK(*text == read_text(copy.data / "checkpoint"));
  const auto checkpoint = storage::verify::parse_checkpoint(*text);
  REQUIRE(checkpoint);
  CHECK(checkpoint->size == kHead);
  CHECK(storage::verify::signer_of(*checkpoint, *storage::listed_keys(copy.data / "checkpoint.keys")));
  storage::TreeReader tree(checkpoint->size,
                           [&](storage::TileId id, std::size_t width) { return ledger->tile(id, width); });
  for (const Sequence sequence : {Sequence{1}, Sequence{256}, Sequence{257}, Sequence{65'536}, kHead}) {
    const auto proof = tree.inclusion(sequence - 1);
    REQUIRE(proof);
    std::vector<Bytes> hashes;
    for (const Hash& hash : *proof) hashes.emplace_back(hash.begin(), hash.end());
    const Hash leaf = fakes::sealed_entry(kSeed, sequence, 20).leaf;
    CHECK(storage::verify::inclusion(sequence - 1, kHead, leaf, hashes, checkpoint->root));
  }
}

TEST_CASE("a checkpoint is signed while entries arrive, and at close") {
  fakes::TemporaryDirectory work;
  const auto ledger = open(work.path());
  const auto size = [&] { return storage::verify::parse_checkpoint(*ledger->checkpoint())->size; };
  CHECK(size() == 0);
  REQUIRE(append(*ledger, fakes::sealed_batch(kSeed, 1, 3)));
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(4);
  while (size() != 3 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  CHECK(size() == 3);
  REQUIRE(append(*ledger, fakes::sealed_batch(kSeed, 4, 5)));
  REQUIRE(ledger->close());
  CHECK(storage::verify::parse_checkpoint(read_text(work.path() / "checkpoint"))->size == 8);
}

TEST_CASE("checkpoints are signed again and again while entries arrive without a pause, every second") {
  CHECK(RocksLedger::kCheckpointEvery <= std::chrono::seconds(1));
  fakes::TemporaryDirectory work;
  const auto ledger = open(work.path());
  NeverQuiet entries(*ledger);
  const auto size = [&] { return storage::verify::parse_checkpoint(*ledger->checkpoint())->size; };
  const auto hangs = std::chrono::steady_clock::now() + std::chrono::minutes(4);
  for (std::uint64_t before = 0, grown = 0; grown < 3; std::this_thread::yield()) {
    REQUIRE(std::chrono::steady_clock::now() < hangs);
    const auto now = size();
    if (now > before) ++grown;
    before = now;
  }
  CHECK(entries.stop() >= size());
  REQUIRE(ledger->close());
}

TEST_CASE("an audit says how far it is, up to its end") {
  std::vector<Sequence> told;
  storage::AuditOptions options;
  options.progress = [&](Sequence done, Sequence all) {
    CHECK(all == kHead);
    told.push_back(done);
  };
  REQUIRE(storage::audit_ledger(whole(), options));
  REQUIRE(told.size() >= 2);
  CHECK(told.front() < kHead);
  CHECK(told.back() == kHead);
  CHECK(std::is_sorted(told.begin(), told.end()));
}

TEST_CASE("a ledger goes on from its checkpoint, with a signer and without one") {
  const Copy copy;
  fill(copy.data, kHead + 1, kHead + 700);
  {
    const auto opened = RocksLedger::open(copy.data);
    REQUIRE(opened);
    CHECK(opened->ledger->checkpoint().error().kind == ErrorKind::not_found);
    CHECK(opened->ledger->head() == kHead + 700);
  }
  CHECK(open(copy.data)->head() == kHead + 700);
}

TEST_CASE("a changed tile is found at start and named") {
  const Copy copy;
  storage::TileId id;
  std::string expected;
  SECTION("one that the root is made of") {
    id = {1, 0};
    expected = "tile/1/000 does not hold the root of tile/0/007";
  }
  SECTION("one of the newest leaves") {
    id = {0, 256};
    expected = "entry 65544 is not the one that tile/0/256 was made of";
  }
  copy.change([&](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
    auto tile = database.full_tile(id);
    REQUIRE(tile);
    (*tile)[7][3] ^= 1U;
    REQUIRE(database.put_tile(batch, id, *tile).ok());
  });
  CHECK(says(copy.refused(), expected));
}

TEST_CASE("a removed tile is found at start and named") {
  const Copy copy;
  copy.change([](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
    REQUIRE(batch.Delete(database.tree(), storage::tile_key({0, 256})).ok());
  });
  CHECK(says(copy.refused(), "tile/0/256 (over entries 65537 to 65792) is missing"));
}

TEST_CASE(
    "an entry that is removed, changed or swapped since the last full tile is found at start and named") {
  const Copy copy;
  std::string expected;
  SECTION("removed") {
    copy.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      REQUIRE(batch.Delete(storage::ledger_key(65'800)).ok());
    });
    expected = "entry 65800 is missing";
  }
  SECTION("swapped") {
    copy.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      const Bytes one = encode(fakes::sealed_entry(kSeed, 65'900, 20));
      const Bytes other = encode(fakes::sealed_entry(kSeed, 65'901, 20));
      REQUIRE(batch.Put(storage::ledger_key(65'901), rocksdb::Slice(text_of(one).data(), one.size())).ok());
      REQUIRE(
          batch.Put(storage::ledger_key(65'900), rocksdb::Slice(text_of(other).data(), other.size())).ok());
    });
    expected = "entry 65900 is damaged: it carries another sequence";
  }
  SECTION("another one in its place, whole in itself") {
    copy.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
      const Bytes other = encode(fakes::sealed_entry(kSeed + 1, 65'900, 20));
      REQUIRE(
          batch.Put(storage::ledger_key(65'900), rocksdb::Slice(text_of(other).data(), other.size())).ok());
    });
    expected = "ledger entries 65793 to 65920 are not those";
  }
  CHECK(says(copy.refused(), expected));
}

TEST_CASE("a tail that was cut together with its mark is missed by the signed checkpoint") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  fill(data, 1, 500);
  fs::copy(data, work.path() / "older", fs::copy_options::recursive);
  fill(data, 501, 900);
  const std::string newest = read_text(data / "checkpoint");
  fs::remove_all(data);
  fs::copy(work.path() / "older", data, fs::copy_options::recursive);
  std::ofstream(data / "checkpoint", std::ios::trunc) << newest;
  const auto opened = RocksLedger::open(data, signer_of(data));
  REQUIRE(!opened);
  CHECK(says(opened.error(), "entry 501 is missing"));

  // A person may accept it: the checkpoint that can never be extended is set aside, not destroyed.
  const auto loss = loss_of(data);
  REQUIRE(loss);
  CHECK(loss->whole == 500);
  CHECK(loss->marked == 900);
  REQUIRE(storage::accept_loss(data, *loss));
  CHECK(open(data)->head() == 500);
  CHECK(read_text(data / "checkpoint.lost.500") == newest);
}

TEST_CASE("a checkpoint that no listed key signed says nothing about what is lost") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  fill(data, 1, 60);
  std::string text = read_text(data / "checkpoint");
  SECTION("its size was changed") { text.replace(text.find("\n60\n"), 4, "\n18446744073709551615\n"); }
  SECTION("it is another hub's") {
    fill(work.path() / "other", 1, 900, kSeed + 5);
    text = read_text(work.path() / "other" / "checkpoint");
  }
  SECTION("it is no checkpoint") { text = "nothing"; }
  std::ofstream(data / "checkpoint", std::ios::trunc) << text;
  const auto loss = loss_of(data);
  REQUIRE(!loss);
  CHECK(loss.error().kind == ErrorKind::corrupt);
  CHECK(says(loss.error(), "move this one away"));
  fs::remove(data / "checkpoint");
  CHECK_FALSE(loss_of(data)->any());
}

TEST_CASE("a checkpoint in the database that covers more than is there is a loss, each time") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  for (const Sequence whole : {Sequence{500}, Sequence{600}}) {
    CAPTURE(whole);
    fill(data, whole == 500 ? 1 : 521, whole);
    const std::string row = signer_of(data).sign(whole + 20, Hash{});
    change_rows(data, [&](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
      REQUIRE(database.put_checkpoint(batch, row).ok());
    });
    const auto refused = RocksLedger::open(data, signer_of(data));
    REQUIRE(!refused);
    CHECK(says(refused.error(), "accept-loss"));
    const auto loss = loss_of(data);
    REQUIRE(loss);
    CHECK(loss->whole == whole);
    CHECK(loss->marked == whole + 20);
    REQUIRE(storage::accept_loss(data, *loss));
    CHECK_FALSE(loss_of(data)->any());
    {  // what is lost is filled before anything is signed again
      const auto opened = RocksLedger::open(data);
      if (!opened) FAIL(opened.error().text);
      REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed + 2, whole + 1, 20)));
    }
    open(data);
    CHECK(read_text(data / ("checkpoint.lost." + std::to_string(whole))) == row);
  }
  CHECK(storage::lost_checkpoints(data).size() == 4);
}

TEST_CASE("of a forged entry under tiles of several levels the audit names that one and no other") {
  const Copy copy;
  copy.change([](LedgerDatabase&, rocksdb::WriteBatch& batch) {
    const Bytes forged = encode(fakes::sealed_entry(kSeed + 1, 900, 20));
    REQUIRE(batch.Put(storage::ledger_key(900), rocksdb::Slice(text_of(forged).data(), forged.size())).ok());
  });
  std::vector<Sequence> named;
  std::size_t of_none = 0;
  storage::AuditOptions options;
  options.fault = [&](Sequence sequence, const std::string& text) {
    UNSCOPED_INFO(sequence << ": " << text);
    if (sequence != 0) {
      named.push_back(sequence);
    } else {
      ++of_none;
    }
  };
  const auto report = storage::audit_ledger(copy.data, options);
  REQUIRE(report);
  CHECK(report->first_bad == 900);
  CHECK(named == std::vector<Sequence>{900});
  CHECK(of_none > 0);  // the tile above it, and the roots
}

TEST_CASE("another hub's checkpoint, and one that was changed, are refused and named") {
  const Copy copy;
  const fs::path other = copy.work.path() / "other";
  fs::create_directories(other);
  std::string expected;
  SECTION("of another key") {
    fill(other, 1, 20);
    fs::copy_file(other / "checkpoint", copy.data / "checkpoint", fs::copy_options::overwrite_existing);
    expected = "none of the known keys of";
  }
  SECTION("with its key listed, over another tree") {
    fill(other, 1, 20, kSeed + 5);
    fs::copy_file(other / "checkpoint", copy.data / "checkpoint", fs::copy_options::overwrite_existing);
    const std::string keys = read_text(other / "checkpoint.keys") + read_text(copy.data / "checkpoint.keys");
    std::ofstream(copy.data / "checkpoint.keys", std::ios::trunc) << keys;
    expected = "ledger entries 1 to 20 are not those that the checkpoint was signed for";
  }
  SECTION("one changed digit") {
    std::string text = read_text(copy.data / "checkpoint");
    text.replace(text.find("66000"), 5, "65999");
    std::ofstream(copy.data / "checkpoint", std::ios::trunc) << text;
    expected = "the signature of carehub/northmarch is wrong";
  }
  SECTION("an empty file") {
    std::ofstream(copy.data / "checkpoint", std::ios::trunc) << "";
    expected = "is empty";
  }
  CHECK(says(copy.refused(), expected));
}

TEST_CASE("without the file the checkpoint in the database is extended") {
  const Copy copy;
  fs::remove(copy.data / "checkpoint");
  CHECK(open(copy.data)->head() == kHead);
  CHECK(fs::exists(copy.data / "checkpoint"));
  copy.change([](LedgerDatabase& database, rocksdb::WriteBatch& batch) {
    REQUIRE(database.put_checkpoint(batch, "nothing").ok());
  });
  CHECK(says(copy.refused(), "its newest checkpoint"));
}

TEST_CASE("after a rotation the ledger goes on from what the old key signed") {
  const Copy copy;
  fakes::SeededRandom random(4);
  const storage::SigningPlace place{copy.data / "signing.key", copy.data / "checkpoint.keys"};
  const auto next = storage::CheckpointSigner::make(kOrigin, random);
  REQUIRE(next);
  REQUIRE(storage::rotate_signing_key(place, *next, kHead));
  const auto ledger = open(copy.data);
  const auto checkpoint = storage::verify::parse_checkpoint(*ledger->checkpoint());
  CHECK(storage::verify::signer_of(*checkpoint, {*storage::verify::parse_key(next->public_text())}));
}

TEST_CASE(
    "what a key signed over more entries than there were when it was replaced does not count at start") {
  const Copy copy;
  fakes::SeededRandom random(4);
  const storage::SigningPlace place{copy.data / "signing.key", copy.data / "checkpoint.keys"};
  const auto next = storage::CheckpointSigner::make(kOrigin, random);
  REQUIRE(next);
  REQUIRE(storage::rotate_signing_key(place, *next, kHead - 1));
  CHECK(says(copy.refused(), "was replaced at entry " + std::to_string(kHead - 1)));
}

TEST_CASE("a ledger of before there were tiles gets them, and says so") {
  const Copy copy;
  fs::remove(copy.data / "checkpoint");
  const auto tile = open(copy.data)->tile({0, 100}, storage::kTileWidth);
  REQUIRE(tile);
  copy.change([](LedgerDatabase& database, rocksdb::WriteBatch&) {
    REQUIRE(database.entries().DropColumnFamily(database.tree()).ok());
  });
  {
    const auto opened = RocksLedger::open(copy.data, signer_of(copy.data));
    if (!opened) FAIL(opened.error().text);
    REQUIRE(opened->notices.size() == 1);
    CHECK(opened->notices.front().find("made from 66000 entries") != std::string::npos);
    CHECK(opened->ledger->tile({0, 100}, storage::kTileWidth) == *tile);
  }
  CHECK(open(copy.data)->head() == kHead);
}
