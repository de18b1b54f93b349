#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <functional>

#include "broker/storage/entry.hpp"
#include "broker/storage/mark.hpp"
#include "broker/storage/tiles.hpp"

namespace carehub::storage {

/// 8 bytes, big-endian, so that keys order as sequences do.
std::string ledger_key(Sequence sequence);

struct CheckedLedger {
  MerkleFrontier tree;  // of all entries up to the head
  Hash last_leaf{};
  bool unfinished = false;  // the log ends in a batch that was cut short
  bool tiled = false;       // the tiles of the tree are stored, and `edge` is its right edge
  TileEdge edge;
  std::string signed_row;  // the checkpoint in the database; only whole_entries() reads it
};

struct SignedState;  // of rocks_tree_check.hpp

/// Looks at a database without changing it: does its head reach mark and checkpoint, is nothing missing
/// before the head, do the entries since the checkpoint hash to the mark's root, and do the stored tiles hash
/// to the same? Does it extend the last signed checkpoint? `corrupt` names the first sequence that is missing
/// or differs.
Result<CheckedLedger> check_ledger(const std::filesystem::path& database, const Mark::State& mark,
                                   const SignedState& signed_state);

/// Every entry from the first on, as far as they follow each other and are whole; nothing is changed. Each is
/// handed to `visit`, whose error ends it. `corrupt` where an entry is damaged, or entries behind missing
/// ones are still there.
Result<CheckedLedger> whole_entries(const std::filesystem::path& database,
                                    const std::function<Result<void>(const SealedEntry&)>& visit);

/// The last sequence in an open database; 0 when it is empty.
Result<Sequence> last_sequence(rocksdb::DB& database, const std::filesystem::path& place);

/// Reads one after the other from `from` to `last` and hands each on; stops at the first error or gap.
/// `visit` returns false to stop early.
template <class Visit>
Result<void> for_each_entry(rocksdb::DB& database, const std::filesystem::path& place, Sequence from,
                            Sequence last, Visit visit);

/// What to do about an entry that is missing: only a lost end can be accepted as lost.
constexpr const char* kRestore = "Restore the data directory from a backup";
constexpr const char* kRestoreOrAccept =
    "Restore the data directory from a backup, or let a person decide: carehub recover --accept-loss";

tl::unexpected<Error> missing_entry(const std::filesystem::path& place, Sequence sequence,
                                    const char* remedy = kRestore);

}  // namespace carehub::storage

#include "broker/storage/rocks_options.hpp"

template <class Visit>
carehub::Result<void> carehub::storage::for_each_entry(rocksdb::DB& database,
                                                       const std::filesystem::path& place, Sequence from,
                                                       Sequence last, Visit visit) {
  if (from > last) return {};
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;  // a long read must not push out what the index needs
  const std::unique_ptr<rocksdb::Iterator> at(database.NewIterator(options));
  Sequence expected = from;
  for (at->Seek(ledger_key(from)); expected <= last; at->Next(), ++expected) {
    if (!at->Valid()) {
      if (at->status().ok()) return missing_entry(place, expected);
      return rocks_error(at->status(), place, "cannot read ledger entry " + std::to_string(expected));
    }
    if (at->key() != rocksdb::Slice(ledger_key(expected))) return missing_entry(place, expected);
    Result<SealedEntry> entry = decode(bytes_of(at->value().ToStringView()), expected);
    if (!entry) return tl::unexpected(entry.error());
    if (!visit(std::move(*entry))) return {};
  }
  return {};
}
