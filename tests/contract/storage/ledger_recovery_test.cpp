#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <future>

#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_recovery.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::RocksLedger;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSeed = 12;
constexpr Sequence kHead = 60;

Result<Sequence> append(storage::Ledger& ledger, std::vector<storage::SealedEntry> batch) {
  std::promise<Result<Sequence>> outcome;
  ledger.append(std::move(batch), [&](Result<Sequence> result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

/// Sixty entries, of which the first forty are in two table files and the last twenty in the log.
void fill(const fs::path& data, std::uint64_t seed = kSeed) {
  for (Sequence first = 1; first < kHead; first += 20) {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    for (Sequence at = first; at < first + 20; at += 5) {
      REQUIRE(append(*opened->ledger, fakes::sealed_batch(seed, at, 5)));
    }
  }
}

fs::path file_with(const fs::path& data, std::string_view part) {
  for (const auto& file : fs::directory_iterator(data / "ledger")) {
    if (file.path().filename().string().find(part) != std::string::npos && file.file_size() > 0)
      return file.path();
  }
  FAIL("no such file");
  return {};
}

Result<void> any_entry(const storage::SealedEntry&) { return {}; }

void damage(const fs::path& file, std::uintmax_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(at));
  stream << "damage";
}

/// From now on the kernel refuses to read the table files that this process has open.
void break_open_tables() {
  const int broken = ::open("/", O_PATH);
  REQUIRE(broken >= 0);
  std::vector<int> tables;
  for (const auto& open : fs::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (fs::read_symlink(open.path(), error).extension() == ".sst")
      tables.push_back(std::stoi(open.path().filename().string()));
  }
  REQUIRE(!tables.empty());
  for (const int table : tables) ::dup2(broken, table);
  ::close(broken);
}

}  // namespace

TEST_CASE("a ledger that is whole has lost nothing, and each of its entries is looked at") {
  fakes::TemporaryDirectory work;
  fill(work.path());
  Sequence seen = 0;
  const auto loss = storage::find_loss(work.path(), [&](const storage::SealedEntry& entry) -> Result<void> {
    CHECK(entry.header.sequence == ++seen);
    return {};
  });
  REQUIRE(loss);
  CHECK_FALSE(loss->any());
  CHECK(seen == kHead);
  CHECK(RocksLedger::open(work.path()));
}

TEST_CASE("a ledger that was never written to has lost nothing") {
  fakes::TemporaryDirectory work;
  REQUIRE(RocksLedger::open(work.path()));
  const auto loss = storage::find_loss(work.path(), any_entry);
  REQUIRE(loss);
  CHECK(loss->whole == 0);
  CHECK_FALSE(loss->any());
}

TEST_CASE("a lost end is told by its numbers, and once accepted the ledger goes on behind what is whole") {
  fakes::TemporaryDirectory work;
  const auto& data = work.path();
  fill(data);
  Sequence whole = 55;
  const auto log = file_with(data, ".log");
  SECTION("the last bytes of the log") { fs::resize_file(log, fs::file_size(log) - 3); }
  SECTION("all of the log") {
    fs::resize_file(log, 0);
    whole = 40;
  }
  SECTION("the log itself") {
    fs::remove(log);
    whole = 40;
  }
  for (int look = 0; look < 2; ++look) {  // looking changes nothing
    const auto loss = storage::find_loss(data, any_entry);
    REQUIRE(loss);
    CHECK(loss->any());
    CHECK(loss->whole == whole);
    CHECK(loss->marked == kHead);
    REQUIRE_FALSE(RocksLedger::open(data));
  }
  REQUIRE(storage::accept_loss(data, *storage::find_loss(data, any_entry)));
  {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    CHECK(opened->ledger->head() == whole);
    for (Sequence at = 1; at <= whole; ++at) {
      const auto read = opened->ledger->read(at, 1, 1);
      REQUIRE(read);
      CHECK(encode(read->front()) == encode(fakes::sealed_entry(kSeed, at)));
    }
    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed + 1, whole + 1, 5)));
  }
  const auto again = RocksLedger::open(data);
  REQUIRE(again);
  CHECK(again->ledger->head() == whole + 5);
}

TEST_CASE("without a mark nobody can tell what is lost, and that may be accepted, too") {
  fakes::TemporaryDirectory work;
  fill(work.path());
  fs::remove(work.path() / "ledger.mark");
  const auto loss = storage::find_loss(work.path(), any_entry);
  REQUIRE(loss);
  CHECK_FALSE(loss->marked);
  CHECK(loss->any());
  CHECK(loss->whole == kHead);
  CHECK_FALSE(fs::exists(work.path() / "ledger.mark"));
  REQUIRE(storage::accept_loss(work.path(), *loss));
  CHECK(RocksLedger::open(work.path()));
}

TEST_CASE("damage with entries behind it is no lost end, and nothing is cut off") {
  fakes::TemporaryDirectory work;
  fill(work.path());
  const auto table = file_with(work.path(), ".sst");
  const auto size = fs::file_size(table);
  damage(table, size / 4);
  const auto loss = storage::find_loss(work.path(), any_entry);
  REQUIRE_FALSE(loss);
  CHECK(loss.error().kind == ErrorKind::corrupt);
  CHECK(fs::file_size(table) == size);
}

TEST_CASE(
    "entries that are missing in the middle are no lost end, and start does not send anybody to accept it") {
  fakes::TemporaryDirectory work;
  fill(work.path() / "whole");
  const auto manifest = file_with(work.path() / "whole", "MANIFEST");
  const auto size = fs::file_size(manifest);
  unsigned gaps = 0;
  // Without its last lines the manifest forgets the second table; what is in the log is still there.
  for (std::uint64_t cut = 1; cut < size; cut += 7) {
    const fs::path data = work.path() / "cut";
    fs::remove_all(data);
    fs::copy(work.path() / "whole", data, fs::copy_options::recursive);
    fs::resize_file(data / "ledger" / manifest.filename(), size - cut);
    const auto opened = RocksLedger::open(data);
    if (opened || opened.error().text.find("entry 21 is missing") == std::string::npos) continue;
    const auto loss = storage::find_loss(data, any_entry);
    if (loss) continue;  // the log is forgotten, too: a lost end
    ++gaps;
    CAPTURE(cut, opened.error().text, loss.error().text);
    CHECK(opened.error().text.find("accept-loss") == std::string::npos);
    CHECK(loss.error().text.find("accept-loss") == std::string::npos);
    CHECK(loss.error().text.find("only a backup helps") != std::string::npos);
  }
  CHECK(gaps > 0);
}

TEST_CASE("a ledger whose CURRENT is gone is to be restored, for there is nothing to recover it from") {
  fakes::TemporaryDirectory work;
  fill(work.path());
  fs::remove(work.path() / "ledger" / "CURRENT");
  const auto opened = RocksLedger::open(work.path());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == ErrorKind::corrupt);
  CHECK(opened.error().text.find("from a backup") != std::string::npos);
  CHECK(opened.error().text.find("accept-loss") == std::string::npos);
}

TEST_CASE("a disk that cannot be read is no damage, and no reason to give up what is on it") {
  fakes::TemporaryDirectory work;
  constexpr Sequence kMany = 2'000;  // more than a few blocks
  {
    auto opened = RocksLedger::open(work.path());
    REQUIRE(opened);
    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed, 1, kMany)));
  }
  REQUIRE(RocksLedger::open(work.path()));  // what was in the log goes into a table
  const auto loss = storage::find_loss(work.path(), [&](const storage::SealedEntry& entry) -> Result<void> {
    if (entry.header.sequence == 1) break_open_tables();
    return {};
  });
  REQUIRE_FALSE(loss);
  CHECK(loss.error().kind == ErrorKind::unavailable);
  CHECK(loss.error().text.find("Check the disk") != std::string::npos);
  CHECK(RocksLedger::open(work.path()));
}

TEST_CASE("a last entry that is damaged is said to be that, and not to be followed by others") {
  fakes::TemporaryDirectory work;
  std::vector<storage::SealedEntry> batch = fakes::sealed_batch(kSeed, 1, 3);
  batch.back().leaf[0] ^= 1U;  // what is stored under the last number does not decode
  {
    auto opened = RocksLedger::open(work.path());
    REQUIRE(opened);
    REQUIRE(append(*opened->ledger, std::move(batch)));
  }
  const auto loss = storage::find_loss(work.path(), any_entry);
  REQUIRE_FALSE(loss);
  CHECK(loss.error().kind == ErrorKind::corrupt);
  CHECK(loss.error().text.find("it is the last one") != std::string::npos);
  CHECK(loss.error().text.find("follow it") == std::string::npos);
}

TEST_CASE("a ledger of another history than its mark's is no loss to accept") {
  fakes::TemporaryDirectory work;
  fill(work.path() / "data");
  fill(work.path() / "other", kSeed + 1);
  fs::copy_file(work.path() / "other" / "ledger.mark", work.path() / "data" / "ledger.mark",
                fs::copy_options::overwrite_existing);
  const auto loss = storage::find_loss(work.path() / "data", any_entry);
  REQUIRE_FALSE(loss);
  CHECK(loss.error().kind == ErrorKind::corrupt);
}

TEST_CASE("a ledger in use is not looked at, and where there is none there is nothing to find") {
  fakes::TemporaryDirectory work;
  CHECK(storage::find_loss(work.path(), any_entry).error().kind == ErrorKind::not_found);
  const auto opened = RocksLedger::open(work.path());
  REQUIRE(opened);
  CHECK(storage::find_loss(work.path(), any_entry).error().kind == ErrorKind::unavailable);
}
