#include "broker/storage/rocks_audit.hpp"

#include <algorithm>
#include <map>

#include "broker/storage/mark.hpp"
#include "broker/storage/proof_file.hpp"
#include "broker/storage/proofs.hpp"
#include "broker/storage/rocks_tree_check.hpp"
#include "broker/storage/verify_entry.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kProgressEvery = 50'000;
constexpr Sequence kSkipFirst = 1;

/// Where the parts of a ledger lie; beside a database alone there may be none of the files.
struct Parts {
  fs::path data;
  fs::path database;
  std::optional<Mark> mark;  // keeps a hub away while it is read
};

Result<Parts> parts_of(const fs::path& directory) {
  std::error_code error;
  Parts parts;
  const fs::path whole = directory.has_filename() ? directory : directory.parent_path();
  const bool inside = fs::exists(whole / "CURRENT", error);
  parts.data = inside ? whole.parent_path() : whole;
  parts.database = inside ? whole : whole / "ledger";
  if (!fs::exists(parts.database / "CURRENT", error)) {
    return fail(ErrorKind::not_found, "there is no ledger in `" + directory.string() + "`");
  }
  if (const fs::path mark = parts.data / "ledger.mark"; fs::exists(mark, error)) {
    auto opened = Mark::open_to_read(mark);
    if (!opened) return tl::unexpected(opened.error());
    parts.mark = std::move(*opened);
  }
  return parts;
}

Result<std::unique_ptr<LedgerDatabase>> open_to_read(const fs::path& place) {
  std::unique_ptr<LedgerDatabase> database;
  const auto status = LedgerDatabase::open(place, LedgerDatabase::Mode::read_only,
                                           rocksdb::WALRecoveryMode::kPointInTimeRecovery, database);
  if (!status.ok()) return rocks_error(status, place, "the ledger does not open");
  return database;
}

Sequence sequence_at(const rocksdb::Iterator& at) {
  Sequence sequence = 0;
  for (const char byte : at.key().ToStringView())
    sequence = (sequence << 8U) | static_cast<std::uint8_t>(byte);
  return sequence;
}

class Audit {
 public:
  Audit(const AuditOptions& options, const LedgerDatabase& database, const Parts& parts, Sequence head)
      : options_(options), database_(database), parts_(parts), head_(head), tree_(hasher_) {}

  Result<AuditReport> run() {
    if (auto expected = expect_roots(); !expected) return tl::unexpected(expected.error());
    const auto tiled = database_.tiled();
    if (!tiled) return tl::unexpected(tiled.error());
    tiled_ = *tiled;
    if (!tiled_ && head_ > 0) tell(0, "there are no tiles: the ledger was made before there were any");
    walk();
    if (stopped_) return fail(ErrorKind::unavailable, "the audit was stopped before its end");
    for (const auto& [size, whose] : roots_) {
      if (size > head_) tell(head_ + 1, "it is missing: " + whose.front().second + " covers it");
    }
    report_.entries = head_;
    report_.root = tree_.root();
    return report_;
  }

 private:
  void tell(Sequence sequence, const std::string& fault) {
    ++report_.faults;
    if (sequence != 0 && (report_.first_bad == 0 || sequence < report_.first_bad))
      report_.first_bad = sequence;
    if (options_.fault) options_.fault(sequence, fault);
  }

  Result<void> expect_roots() {
    if (parts_.mark && parts_.mark->found()) {
      const Mark::State& state = *parts_.mark->found();
      roots_[state.checkpoint.size()].emplace_back(state.checkpoint.root(), "the mark's checkpoint");
      roots_[state.size].emplace_back(state.root, "the mark");
      if (state.damaged) tell(0, "one slot of the mark is torn; the other one holds");
    } else {
      tell(0, "there is no readable mark beside the ledger: a cut tail shows only by the checkpoint");
    }
    auto signed_state = read_signed_state(parts_.data);
    if (!signed_state) {
      tell(0, signed_state.error().text);
      return {};
    }
    const auto stored = database_.checkpoint();
    if (!stored) return tl::unexpected(stored.error());
    const auto& keys = options_.keys.empty() ? signed_state->keys : options_.keys;
    expect_signed(signed_state->checkpoint, "the signed checkpoint", keys);
    if (*stored != signed_state->checkpoint)
      expect_signed(*stored, "the signed checkpoint in the database", keys);
    if (!report_.extended) tell(0, "no signed checkpoint is there to compare with");
    return {};
  }

  void expect_signed(const std::string& text, const std::string& whose,
                     const std::vector<verify::Key>& keys) {
    if (text.empty()) return;
    const auto checkpoint = verify::parse_checkpoint(text);
    const auto signer = checkpoint ? verify::signer_of(*checkpoint, keys)
                                   : Result<verify::Key>(tl::unexpected(checkpoint.error()));
    if (!signer) {
      tell(0, whose + ": " + signer.error().text);
      return;
    }
    roots_[checkpoint->size].emplace_back(checkpoint->root, whose);
    if (!report_.extended || report_.extended->size < checkpoint->size) report_.extended = *checkpoint;
  }

  void walk() {
    rocksdb::ReadOptions read;
    read.verify_checksums = true;
    read.fill_cache = false;
    read.readahead_size = std::size_t{2} << 20U;
    std::unique_ptr<rocksdb::Iterator> at(database_.entries().NewIterator(read));
    at->SeekToFirst();
    compare_roots();
    Sequence expected = 1;
    while (expected <= head_ && !stopped_) {
      if (!at->Valid() && !at->status().ok()) {
        expected = pass_over_damage(*at, expected);
        continue;
      }
      const Sequence found = at->Valid() ? sequence_at(*at) : head_ + 1;
      if (found < expected) {
        at->Next();
        continue;
      }
      for (; expected < found && expected <= head_; ++expected) bad(expected, "it is missing");
      if (expected > head_) break;
      check(bytes_of(at->value().ToStringView()), expected);
      ++expected;
      at->Next();
    }
  }

  /// Behind a block that cannot be read; what lies in it is told.
  Sequence pass_over_damage(rocksdb::Iterator& at, Sequence expected) {
    Sequence skip = kSkipFirst;
    Sequence next = expected;
    while (next <= head_ && !at.Valid()) {
      next = expected + skip;
      if (skip < 64) {
        ++skip;
      } else {
        skip *= 2;
      }
      at.Seek(ledger_key(next));
      if (!at.Valid() && at.status().ok()) break;
    }
    const Sequence end = at.Valid() ? std::max(sequence_at(at), expected + 1) : head_ + 1;
    for (Sequence one = expected; one < end && one <= head_; ++one)
      bad(one, "it cannot be read: the file is damaged");
    return end;
  }

  void check(BytesView stored, Sequence sequence) {
    const auto facts = verify::entry(hasher_, stored, sequence);
    if (!facts) {
      bad(sequence, facts.error().text);
      return;
    }
    if (facts->appended_at_us < latest_us_) tell(sequence, "it is older than the entry before it");
    latest_us_ = std::max(latest_us_, facts->appended_at_us);
    join(sequence, facts->leaf, true);
  }

  /// The tree goes on with what the tile holds, so that one bad entry is one fault.
  void bad(Sequence sequence, const std::string& fault) {
    tell(sequence, fault);
    join(sequence, Hash{}, false);
  }

  void join(Sequence sequence, const Hash& leaf, bool known) {
    const std::uint64_t index = sequence - 1;
    if (tiled_ && index % kTileWidth == 0) {
      tile_.clear();
      if (index / kTileWidth < head_ / kTileWidth) {
        auto tile = database_.full_tile({0, index / kTileWidth});
        if (tile)
          tile_ = std::move(*tile);
        else
          tell(sequence, tile.error().text);
      }
    }
    Hash hash = leaf;
    if (!tile_.empty()) {
      const Hash& stored = tile_[static_cast<std::size_t>(index % kTileWidth)];
      if (known && stored != leaf) {
        tell(sequence, "it is not the one that " + tile_path({0, index / kTileWidth}) + " was made of");
      }
      if (!known) hash = stored;
    }
    tree_.append(hash, [this](std::size_t level, std::uint64_t number, const std::vector<Hash>& row) {
      if (level > 0 && tiled_) compare_tile({static_cast<std::uint8_t>(level), number}, row);
    });
    compare_roots();
    if (sequence % kProgressEvery != 0) return;
    if (options_.progress) options_.progress(sequence, head_);
    stopped_ = options_.stopped && options_.stopped();
  }

  void compare_tile(TileId id, const std::vector<Hash>& row) {
    const auto tile = database_.full_tile(id);
    if (tile && *tile == row) return;
    const Sequence first = (id.index << (kTileHeight * (id.level + 1U))) + 1;
    tell(first, tile ? describe_tile(id) + " is not that of the entries below it" : tile.error().text);
  }

  void compare_roots() {
    const auto expected = roots_.find(tree_.size());
    if (expected == roots_.end()) return;
    const Hash root = tree_.root();
    for (const auto& [hash, whose] : expected->second) {
      if (hash == root) continue;
      tell(0, "entries 1 to " + std::to_string(tree_.size()) + " are not those that " + whose +
                  " was written for: the root hash differs");
    }
  }

  const AuditOptions& options_;
  const LedgerDatabase& database_;
  const Parts& parts_;
  const Sequence head_;
  const verify::Hasher hasher_;
  verify::GrowingTree tree_;
  std::map<std::uint64_t, std::vector<std::pair<Hash, std::string>>> roots_;  // by size
  bool tiled_ = false;
  bool stopped_ = false;
  Tile tile_;  // of the entry at hand, where it is full
  std::int64_t latest_us_ = INT64_MIN;
  AuditReport report_;
};

}  // namespace

Result<AuditReport> audit_ledger(const fs::path& directory, const AuditOptions& options) {
  const auto parts = parts_of(directory);
  if (!parts) return tl::unexpected(parts.error());
  const auto database = open_to_read(parts->database);
  if (!database) return tl::unexpected(database.error());
  const auto head = last_sequence((*database)->entries(), parts->database);
  if (!head) return tl::unexpected(head.error());
  return Audit(options, **database, *parts, *head).run();
}

Result<std::string> prove_entry(const fs::path& directory, Sequence sequence) {
  const auto parts = parts_of(directory);
  if (!parts) return tl::unexpected(parts.error());
  const auto database = open_to_read(parts->database);
  if (!database) return tl::unexpected(database.error());
  const auto signed_state = read_signed_state(parts->data);
  if (!signed_state) return tl::unexpected(signed_state.error());
  std::string text = signed_state->checkpoint;
  if (text.empty()) {
    auto stored = (*database)->checkpoint();
    if (!stored) return tl::unexpected(stored.error());
    text = std::move(*stored);
  }
  if (text.empty()) return fail(ErrorKind::not_found, "no checkpoint of this ledger has been signed yet");
  const auto checkpoint = verify::parse_checkpoint(text);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  if (sequence == 0 || sequence > checkpoint->size) {
    return fail(ErrorKind::not_found, "entry " + std::to_string(sequence) +
                                          " is not under the newest checkpoint, which covers " +
                                          std::to_string(checkpoint->size));
  }
  const auto entry = (*database)->entry(sequence);
  if (!entry) return tl::unexpected(entry.error());
  const auto edge = (*database)->edge(checkpoint->size);
  if (!edge) return tl::unexpected(edge.error());
  return make_proof(*entry, *checkpoint, text, [&](TileId id, std::size_t width) -> Result<Tile> {
    if (auto open = edge->tile(id, width)) return *std::move(open);
    return (*database)->full_tile(id);
  });
}

}  // namespace carehub::storage
