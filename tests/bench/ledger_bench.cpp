#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <future>
#include <semaphore>

#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/sha256.hpp"
#include "broker/storage/signing_key.hpp"

/// What the ledger alone does on this disk: ledger_bench DIRECTORY ENTRIES. Entries of 600 bytes in batches
/// of 1024, four in flight; then a start, an audit of all of it, and what the tree adds to the writer's work.
namespace {

using namespace carehub;
using Steady = std::chrono::steady_clock;

double seconds_since(Steady::time_point began) {
  return std::chrono::duration<double>(Steady::now() - began).count();
}

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::vector<storage::SealedEntry> batch_of(Sequence first, std::size_t count) {
  std::vector<storage::SealedEntry> batch(count);
  for (std::size_t at = 0; at < count; ++at) {
    storage::SealedEntry& entry = batch[at];
    entry.ciphertext.assign(504, static_cast<std::uint8_t>(first + at));
    entry.header.length = static_cast<std::uint32_t>(entry.ciphertext.size());
    entry.header.sequence = first + at;
    entry.header.appended_at = {static_cast<std::int64_t>(first)};
    entry.leaf = storage::leaf_hash(entry.header, entry.nonce, entry.ciphertext);
  }
  return batch;
}

int refuse(const Error& error) {
  std::printf("%s\n", error.text.c_str());
  return 1;
}

void measure_tree(Sequence entries) {
  const Hash leaf = storage::sha256({});
  double began = processor_seconds();
  storage::MerkleFrontier frontier;
  for (Sequence at = 0; at < entries; ++at) frontier.append(leaf);
  const double bare = processor_seconds() - began;
  began = processor_seconds();
  storage::TileEdge edge;
  std::size_t bytes = 0;
  for (Sequence at = 0; at < entries; ++at) {
    edge.append(leaf);
    if (at % 1024 != 0) continue;
    edge.for_each_full([&](storage::TileId, std::span<const Hash> hashes) { bytes += hashes.size_bytes(); });
    edge.trim();
  }
  const double tiled = processor_seconds() - began;
  const auto each = 1e9 / static_cast<double>(entries);
  std::printf("tree: %.0f ns an entry without tiles, %.0f ns with them, %.1f bytes of tiles an entry\n",
              bare * each, tiled * each, static_cast<double>(bytes) / static_cast<double>(entries));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::printf("ledger_bench DIRECTORY ENTRIES; the directory must not exist\n");
    return 2;
  }
  const std::filesystem::path data = arguments[1];
  const Sequence entries = std::strtoull(arguments[2], nullptr, 10);
  if (std::filesystem::exists(data) || entries == 0) return 2;
  std::filesystem::create_directories(data);
  SystemRandom random;
  const storage::SigningPlace place{data / "signing.key", data / storage::kCheckpointKeysFile};
  const auto key = storage::open_signing_key(place, "bench", random);
  if (!key) return refuse(key.error());
  measure_tree(entries);
  {
    auto opened = storage::RocksLedger::open(data, *key);
    if (!opened) return refuse(opened.error());
    std::counting_semaphore<4> room(4);
    const auto began = Steady::now();
    for (Sequence first = 1; first <= entries; first += 1024) {
      auto batch = batch_of(first, static_cast<std::size_t>(std::min<Sequence>(1024, entries + 1 - first)));
      room.acquire();
      opened->ledger->append(std::move(batch), [&](const Result<Sequence>&) { room.release(); });
    }
    if (auto closed = opened->ledger->close(); !closed) return refuse(closed.error());
    const double took = seconds_since(began);
    std::printf("append: %.0f entries/s\n", static_cast<double>(entries) / took);
  }
  {
    const auto began = Steady::now();
    const auto opened = storage::RocksLedger::open(data, *key);
    if (!opened) return refuse(opened.error());
    std::printf("start: %.3f s with %llu entries\n", seconds_since(began),
                static_cast<unsigned long long>(opened->ledger->head()));
  }
  const auto began = Steady::now();
  const double processor = processor_seconds();
  const auto report = storage::audit_ledger(data, {});
  if (!report) return refuse(report.error());
  const double took = seconds_since(began);
  std::printf("audit: %.0f entries/s, %.0f a second of one core, %llu faults\n",
              static_cast<double>(entries) / took,
              static_cast<double>(entries) / (processor_seconds() - processor),
              static_cast<unsigned long long>(report->faults));
  return 0;
}
