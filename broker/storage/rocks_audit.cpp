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
constexpr std::size_t kReadAheadBytes = std::size_t{2} << 20U;
constexpr Sequence kSequenceMax = UINT64_MAX - 1;  // so that there is one behind it
// Behind damage no whole block is skipped; behind a lot of it the steps grow.
constexpr Sequence kSkipMax = 16;
constexpr Sequence kSkipCarefully = 4096;

/// Where the parts of a ledger lie; beside a database alone there may be none of the files.
struct Parts {
  fs::path data;
  fs::path database;
  std::optional<Mark> mark;  // keeps a hub away while it is read
};

Result<Parts> parts_of(const fs::path& directory) {
  std::error_code error;
  Parts parts;
  fs::path whole = fs::absolute(directory, error).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
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

/// Of the row there; 0 where its key is none that an entry can have.
Sequence sequence_at(const rocksdb::Iterator& at) {
  const std::string_view key = at.key().ToStringView();
  if (key.size() != sizeof(Sequence)) return 0;
  Sequence sequence = 0;
  for (const char byte : key) sequence = (sequence << 8U) | static_cast<std::uint8_t>(byte);
  return sequence <= kSequenceMax ? sequence : 0;
}

/// The last entry's; rows that are no entries may lie behind it.
Result<Sequence> last_entry(rocksdb::DB& database, const fs::path& place) {
  const std::unique_ptr<rocksdb::Iterator> at(database.NewIterator({}));
  for (at->SeekToLast(); at->Valid(); at->Prev()) {
    if (const Sequence sequence = sequence_at(*at); sequence != 0) return sequence;
  }
  if (!at->status().ok()) return rocks_error(at->status(), place, "cannot read the end of the ledger");
  return Sequence{0};
}

class Audit {
 public:
  Audit(const AuditOptions& options, const LedgerDatabase& database, const Parts& parts, Sequence head)
      : options_(options), database_(database), parts_(parts), head_(head), tree_(hasher_) {}

  Result<AuditReport> run(LedgerDatabase::LogEnd log_end) {
    if (auto expected = expect_roots(); !expected) return tl::unexpected(expected.error());
    tell_log_end(log_end);
    const auto tiled = database_.tiled();
    if (!tiled) return tl::unexpected(tiled.error());
    tiled_ = *tiled;
    if (!tiled_ && head_ > 0) note("there are no tiles: the ledger was made before there were any");
    walk();
    if (stopped_) return fail(ErrorKind::unavailable, "the audit was stopped before its end");
    if (options_.progress) options_.progress(head_, head_);
    for (const auto& [size, whose] : roots_) {
      if (size > head_) {
        tell(head_ + 1, "it is missing: " + whose.front().second + " covers it");
      } else if (size > tree_.size()) {
        tell(0, whose.front().second + " covers entries up to " + std::to_string(size) +
                    ", and too many before it are missing to compare it");
      }
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

  void note(const std::string& text) const {
    if (options_.notice) options_.notice(text);
  }

  /// A batch that was cut short is usual after a power cut, and in a copy of a ledger in use. Where nothing
  /// outside the database says how much was durable, it may have been more than that.
  void tell_log_end(LedgerDatabase::LogEnd log_end) {
    if (log_end == LedgerDatabase::LogEnd::whole) return;
    const std::string behind = " batch behind entry " + std::to_string(head_);
    if (log_end == LedgerDatabase::LogEnd::damaged) {
      tell(0, "the log ends in a damaged" + behind +
                  ": whatever followed is not there. Only right after a power cut that may be nothing that "
                  "anybody had a receipt for: start the hub, and ask again");
    } else if (roots_.empty()) {
      tell(0, "the log ends in an unfinished" + behind + ", and no mark says how much was durable");
    } else {
      note("the log ends in an unfinished" + behind + ", as after a power cut");
    }
  }

  Result<void> expect_roots() {
    if (parts_.mark && parts_.mark->found()) {
      const Mark::State& state = *parts_.mark->found();
      roots_[state.checkpoint.size()].emplace_back(state.checkpoint.root(), "the mark's checkpoint");
      roots_[state.size].emplace_back(state.root, "the mark");
      if (state.damaged) note("one slot of the mark is torn; the other one holds");
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

  /// What one has read ahead or met as damage stays with it: behind damage another one goes on.
  std::unique_ptr<rocksdb::Iterator> iterator_at(Sequence sequence, std::size_t ahead_bytes) const {
    rocksdb::ReadOptions read;
    read.verify_checksums = true;
    read.fill_cache = false;
    read.readahead_size = ahead_bytes;
    std::unique_ptr<rocksdb::Iterator> at(database_.entries().NewIterator(read));
    at->Seek(ledger_key(sequence));
    return at;
  }

  void walk() {
    auto at = iterator_at(0, kReadAheadBytes);
    if (at->status().ok()) at->SeekToFirst();
    compare_roots();
    Sequence expected = 1;
    while (!stopped_) {
      if (!at->Valid() && !at->status().ok()) {
        if (expected > head_) break;
        expected = pass_over_damage(expected);
        at = iterator_at(expected, kReadAheadBytes);
        continue;
      }
      const Sequence found = at->Valid() ? sequence_at(*at) : head_ + 1;
      if (found == 0) {
        tell(0, "a row behind entry " + std::to_string(expected - 1) + " has a key that no entry has");
      } else if (found >= expected) {
        if (found > expected) lose(expected, found - 1, "it is missing");
        if (!at->Valid()) break;
        check(bytes_of(at->value().ToStringView()), found);
        expected = found + 1;
      }
      if (!at->Valid()) break;
      at->Next();
    }
  }

  /// Behind what cannot be read, up to the first that can; what lies in it is told.
  Sequence pass_over_damage(Sequence expected) {
    const auto readable = [this](Sequence sequence) {
      const auto at = iterator_at(sequence, 0);
      return at->Valid() || at->status().ok();
    };
    Sequence bad = expected;
    Sequence good = head_ + 1;
    Sequence skip = 1;
    while (good - bad > skip) {
      if (readable(bad + skip)) {
        good = bad + skip;
        break;
      }
      bad += skip;
      if (skip < kSkipMax || bad - expected > kSkipCarefully) skip *= 2;
    }
    while (good - bad > 1) {
      const Sequence middle = bad + (good - bad) / 2;
      (readable(middle) ? good : bad) = middle;
    }
    lose(expected, bad, "it cannot be read: the file is damaged");
    return good;
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

  void bad(Sequence sequence, const std::string& fault) {
    tell(sequence, fault);
    join(sequence, Hash{}, false);
  }

  /// Entries that are not there to be looked at; a long row of them is one fault. Such a row joins the tree
  /// as far as there are tiles of it: a forged number may be as large as it likes.
  void lose(Sequence first, Sequence last, const std::string& fault) {
    if (last - first < kTileWidth) {
      for (Sequence one = first; one <= last; ++one) bad(one, fault);
      return;
    }
    tell(first, fault + ", and so is each up to entry " + std::to_string(last));
    for (Sequence one = first; one <= last && !broken_ && !stopped_; ++one) {
      const std::uint64_t tile = (one - 1) / kTileWidth;
      broken_ = (one - 1) % kTileWidth == 0 && tile < head_ / kTileWidth && !database_.full_tile({0, tile});
      if (!broken_) join(one, Hash{}, false);
    }
  }

  /// The tree goes on with what the tile holds where an entry is not known, so that one that is bad is one
  /// fault.
  void join(Sequence sequence, const Hash& leaf, bool known) {
    if (broken_) return;
    const std::uint64_t index = sequence - 1;
    if (tiled_ && index % kTileWidth == 0) {
      tile_.clear();
      no_tile_.clear();
      if (index / kTileWidth < head_ / kTileWidth) {
        auto tile = database_.full_tile({0, index / kTileWidth});
        if (tile)
          tile_ = std::move(*tile);
        else
          no_tile_ = tile.error().text;
      }
    }
    // There is one only where its last entry has been.
    if (known && !no_tile_.empty() && index % kTileWidth == kTileWidth - 1)
      tell(sequence - index % kTileWidth, no_tile_);
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

  /// A tile above the lowest level is of no entry of its own: one forged leaf makes each above it differ.
  void compare_tile(TileId id, const std::vector<Hash>& row) {
    const auto tile = database_.full_tile(id);
    if (tile && *tile == row) return;
    tell(0, tile ? describe_tile(id) + " is not that of the entries below it" : tile.error().text);
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
  bool broken_ = false;  // the tree ends: too much is missing to go on with it
  bool stopped_ = false;
  Tile tile_;            // of the entry at hand, where it is full
  std::string no_tile_;  // why it is not there, where it is to be
  std::int64_t latest_us_ = INT64_MIN;
  AuditReport report_;
};

}  // namespace

Result<AuditReport> audit_ledger(const fs::path& directory, const AuditOptions& options) {
  const auto parts = parts_of(directory);
  if (!parts) return tl::unexpected(parts.error());
  auto log_end = LedgerDatabase::LogEnd::whole;
  const auto database = LedgerDatabase::open_to_read(parts->database, log_end);
  if (!database) return tl::unexpected(database.error());
  const auto head = last_entry((*database)->entries(), parts->database);
  if (!head) return tl::unexpected(head.error());
  return Audit(options, **database, *parts, *head).run(log_end);
}

Result<std::string> prove_entry(const fs::path& directory, Sequence sequence) {
  const auto parts = parts_of(directory);
  if (!parts) return tl::unexpected(parts.error());
  auto log_end = LedgerDatabase::LogEnd::whole;
  const auto database = LedgerDatabase::open_to_read(parts->database, log_end);
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
