#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <random>

#include "broker/storage/rocks_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using storage::RocksLedger;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kSeed = 11;
constexpr Sequence kHead = 60;
constexpr std::size_t kTables = 3;

Result<Sequence> append(storage::Ledger& ledger, std::vector<storage::SealedEntry> batch) {
  std::promise<Result<Sequence>> outcome;
  ledger.append(std::move(batch), [&](Result<Sequence> result) { outcome.set_value(std::move(result)); });
  return outcome.get_future().get();
}

/// Sixty entries, of which the first forty are in two table files and the last twenty in the write-ahead log.
/// A third table says that the tree's tiles are there, of which none is full yet.
void fill(const fs::path& data) {
  for (Sequence first = 1; first < kHead; first += 20) {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    for (Sequence at = first; at < first + 20; at += 5) {
      REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed, at, 5)));
    }
  }
}

std::vector<fs::path> files_with(const fs::path& directory, std::string_view part) {
  std::vector<fs::path> found;
  for (const auto& file : fs::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    if (name.find(part) != std::string::npos && file.file_size() > 0) found.push_back(file.path());
  }
  return found;
}

void flip(const fs::path& file, std::uint64_t byte, unsigned mask) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(byte));
  const int was = stream.get();
  stream.seekp(static_cast<std::streamoff>(byte));
  stream.put(static_cast<char>(static_cast<unsigned>(was) ^ mask));
}

struct Outcome {
  bool refused = false;  // at open
  bool found_on_read = false;
  std::string text;
};

/// Opens and reads every entry by itself: each is what was written, or named as corrupt.
Outcome open_and_read(const fs::path& data) {
  Outcome outcome;
  auto opened = RocksLedger::open(data);
  if (!opened) {
    CHECK(opened.error().kind == ErrorKind::corrupt);
    outcome.refused = true;
    outcome.text = opened.error().text;
    return outcome;
  }
  CHECK(opened->ledger->head() == kHead);
  for (Sequence at = 1; at <= kHead; ++at) {
    const auto entries = opened->ledger->read(at, 1, 1);
    if (!entries) {
      CHECK(entries.error().kind == ErrorKind::corrupt);
      CHECK(entries.error().text.find(std::to_string(at)) != std::string::npos);
      outcome.found_on_read = true;
      outcome.text = entries.error().text;
    } else {
      REQUIRE(entries->size() == 1);
      CHECK(encode(entries->front()) == encode(fakes::sealed_entry(kSeed, at)));
    }
  }
  return outcome;
}

}  // namespace

TEST_CASE("one flipped bit anywhere on disk is found or does no harm, and is never read as something else") {
  fakes::TemporaryDirectory work;
  fill(work.path() / "whole");
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  fakes::SeededRandom random(seed);
  struct Target {
    const char* part;
    unsigned flips;
  };
  // Current, manifest, tables, log, and the mark beside the database.
  for (const auto& [part, flips] : {Target{"CURRENT", 5}, Target{"MANIFEST", 60}, Target{".sst", 80},
                                    Target{".log", 80}, Target{"ledger.mark", 40}}) {
    unsigned found = 0;
    for (unsigned round = 0; round < flips; ++round) {
      const fs::path copy = work.path() / "copy";
      fs::remove_all(copy);
      fs::copy(work.path() / "whole", copy, fs::copy_options::recursive);
      const bool mark = std::string_view(part) == "ledger.mark";
      const auto files = files_with(mark ? copy : copy / "ledger", part);
      REQUIRE(!files.empty());
      const fs::path& file = files[random.below(files.size())];
      const std::uint64_t byte = random.below(fs::file_size(file));
      const unsigned mask = 1U << random.below(8);
      CAPTURE(file.filename().string(), byte, mask);
      flip(file, byte, mask);
      const Outcome outcome = open_and_read(copy);
      if (outcome.refused || outcome.found_on_read) ++found;
    }
    INFO(part << ": " << found << " of " << flips << " flips were found");
    if (std::string_view(part) == ".log") CHECK(found == flips);
    if (std::string_view(part) == ".sst") CHECK(found > 0);
  }
}

TEST_CASE("a lost tail of the log is refused at start, and the first missing entry is named") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  fill(data);
  const auto logs = files_with(data / "ledger", ".log");
  REQUIRE(logs.size() == 1);
  const auto size = fs::file_size(logs.front());
  bool removed = false;

  SECTION("all of it") {
    fs::resize_file(logs.front(), 0);
    const Outcome outcome = open_and_read(data);
    CHECK(outcome.refused);
    CHECK(outcome.text.find("entry 41 is missing") != std::string::npos);
  }
  SECTION("the last bytes") {
    fs::resize_file(logs.front(), size - 3);
    const Outcome outcome = open_and_read(data);
    CHECK(outcome.refused);
    CHECK(outcome.text.find("entry 56 is missing") != std::string::npos);
  }
  SECTION("a bit in the middle") {
    flip(logs.front(), size / 2, 4);
    const Outcome outcome = open_and_read(data);
    CHECK(outcome.refused);
    CHECK(outcome.text.find("is missing") != std::string::npos);
  }
  SECTION("the file itself") {
    fs::remove(logs.front());
    removed = true;
    const Outcome outcome = open_and_read(data);
    CHECK(outcome.refused);
    CHECK(outcome.text.find("entry 41 is missing") != std::string::npos);
  }
  // A refusal leaves logs and tables as they were for the person who looks into it.
  CHECK(open_and_read(data).refused);
  CHECK(files_with(data / "ledger", ".sst").size() == kTables);
  CHECK(fs::exists(logs.front()) != removed);
}

TEST_CASE("a manifest that lost its end hides no entries") {
  fakes::TemporaryDirectory work;
  fill(work.path() / "whole");
  const auto manifests = files_with(work.path() / "whole" / "ledger", "MANIFEST");
  REQUIRE(manifests.size() == 1);
  const std::uint64_t size = fs::file_size(manifests.front());
  unsigned refused = 0;
  for (std::uint64_t cut = 1; cut < size; cut += 7) {
    const fs::path copy = work.path() / "copy";
    fs::remove_all(copy);
    fs::copy(work.path() / "whole", copy, fs::copy_options::recursive);
    fs::resize_file(copy / "ledger" / manifests.front().filename(), size - cut);
    CAPTURE(size, cut);
    const Outcome outcome = open_and_read(copy);
    CHECK(!outcome.found_on_read);
    if (!outcome.refused) continue;  // the last line held nothing that is needed, and all was read as written
    ++refused;
    // The tables that the manifest forgot are still there.
    CHECK(files_with(copy / "ledger", ".sst").size() == kTables);
  }
  CHECK(refused > 0);
}

TEST_CASE("an unfinished batch above the mark is dropped and reported") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  fill(data);
  fs::copy_file(data / "ledger.mark", work.path() / "mark");
  {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    fs::remove(work.path() / "mark");
    fs::copy_file(data / "ledger.mark", work.path() / "mark");
    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed, kHead + 1, 5)));
  }
  // As if the power had gone while the last batch was being written: the mark does not know it yet.
  fs::copy_file(work.path() / "mark", data / "ledger.mark", fs::copy_options::overwrite_existing);
  const auto logs = files_with(data / "ledger", ".log");
  REQUIRE(logs.size() == 1);
  fs::resize_file(logs.front(), fs::file_size(logs.front()) - 5);
  {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    REQUIRE(opened->notices.size() == 1);
    CHECK(opened->notices.front().find("after entry 60") != std::string::npos);
    CHECK(opened->ledger->head() == kHead);
    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed, kHead + 1, 5)));
  }
  auto opened = RocksLedger::open(data);
  REQUIRE(opened);
  CHECK(opened->notices.empty());
  CHECK(opened->ledger->head() == kHead + 5);
}

TEST_CASE("a mark older than the head is fine, a missing mark is refused") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  fill(data);
  fs::copy_file(data / "ledger.mark", work.path() / "older");
  {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed, kHead + 1, 5)));
  }
  fs::copy_file(work.path() / "older", data / "ledger.mark", fs::copy_options::overwrite_existing);
  {
    auto opened = RocksLedger::open(data);
    REQUIRE(opened);
    CHECK(opened->ledger->head() == kHead + 5);
  }
  fs::remove(data / "ledger.mark");
  const auto opened = RocksLedger::open(data);
  REQUIRE(!opened);
  CHECK(opened.error().kind == ErrorKind::corrupt);
  CHECK(opened.error().text.find("accept-loss") != std::string::npos);
  CHECK(!fs::exists(data / "ledger.mark"));
}

TEST_CASE("the ledger of another history under this mark is refused") {
  fakes::TemporaryDirectory work;
  const fs::path data = work.path() / "data";
  const fs::path other = work.path() / "other";
  fill(data);
  {
    auto opened = RocksLedger::open(other);
    REQUIRE(opened);

    REQUIRE(append(*opened->ledger, fakes::sealed_batch(kSeed + 1, 1, kHead)));
  }
  fs::remove_all(data / "ledger");
  fs::copy(other / "ledger", data / "ledger", fs::copy_options::recursive);

  const auto opened = RocksLedger::open(data);
  CHECK((!opened && opened.error().kind == ErrorKind::corrupt));
}

TEST_CASE("a ledger in use and a directory that is not writable give one clear line") {
  fakes::TemporaryDirectory work;
  const auto first = RocksLedger::open(work.path() / "data");
  REQUIRE(first);
  const auto second = RocksLedger::open(work.path() / "data");
  REQUIRE(!second);
  CHECK(second.error().kind == ErrorKind::unavailable);
  CHECK(second.error().text.find("another hub") != std::string::npos);

  const auto nowhere = RocksLedger::open("/proc/carehub");
  REQUIRE(!nowhere);
  CHECK(nowhere.error().text.find("/proc/carehub") != std::string::npos);
  CHECK(nowhere.error().text.find('\n') == std::string::npos);
}
