#include "broker/storage/rocks_check.hpp"

#include <algorithm>

#include "broker/storage/rocks_database.hpp"
#include "broker/storage/rocks_tree_check.hpp"

namespace carehub::storage {
namespace {

std::optional<Sequence> sequence_of(std::string_view key) {
  if (key.size() != sizeof(Sequence)) return std::nullopt;
  Sequence sequence = 0;
  for (const char byte : key) sequence = (sequence << 8U) | static_cast<std::uint8_t>(byte);
  return sequence;
}

/// How far the table files reach without a gap. A table that an unreadable manifest line forgot would
/// otherwise go unnoticed behind a head that is still there, and opening for writing would delete its file.
Result<Sequence> covered_until(rocksdb::DB& database, const std::filesystem::path& place) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  database.GetLiveFilesMetaData(&tables);
  std::vector<std::pair<Sequence, Sequence>> ranges;
  for (const auto& table : tables) {
    if (table.column_family_name != rocksdb::kDefaultColumnFamilyName) continue;
    const auto first = sequence_of(table.smallestkey);
    const auto last = sequence_of(table.largestkey);
    if (!first || !last)
      return fail(ErrorKind::corrupt, place.string() + ": " + table.name + " is not a ledger's");
    ranges.emplace_back(*first, *last);
  }
  std::sort(ranges.begin(), ranges.end());
  Sequence until = 0;
  for (const auto& [first, last] : ranges) {
    if (first > until + 1) return missing_entry(place, until + 1);
    until = std::max(until, last);
  }
  return until;
}

Result<void> check_entries(rocksdb::DB& database, const std::filesystem::path& place, const Mark::State& mark,
                           Sequence head, CheckedLedger& checked) {
  const Result<Sequence> covered = covered_until(database, place);
  if (!covered) return tl::unexpected(covered.error());
  if (head < mark.size) return missing_entry(place, head + 1, kRestoreOrAccept);
  MerkleFrontier& tree = checked.tree = mark.checkpoint;
  checked.last_leaf = mark.last_leaf;
  // Entries that are only in the log are few; they are read even where the checkpoint covers them.
  // The checkpoint's last entry tells a database of another history apart.
  const Sequence known = mark.checkpoint.size();
  const Sequence from = std::max<Sequence>(1, std::min(*covered + 1, known));
  bool leaf_differs = false;
  bool root_differs = false;
  Result<void> read = for_each_entry(database, place, from, head, [&](const SealedEntry& entry) {
    if (entry.header.sequence <= known) {
      leaf_differs = entry.header.sequence == known && entry.leaf != mark.last_leaf;
      return !leaf_differs;
    }
    tree.append(entry.leaf);
    checked.last_leaf = entry.leaf;
    root_differs = tree.size() == mark.size && tree.root() != mark.root;
    return !root_differs;
  });
  if (!read) return read;
  if (leaf_differs) {
    return fail(ErrorKind::corrupt,
                place.string() + ": ledger entry " + std::to_string(known) +
                    " is not the one that was written. Do ledger and mark belong together?");
  }
  if (!root_differs) return {};
  return fail(ErrorKind::corrupt,
              place.string() + ": ledger entries " + std::to_string(known + 1) + " to " +
                  std::to_string(mark.size) +
                  " are not those that were written: their root hash differs from the mark's. "
                  "Restore the data directory from a backup");
}

Result<std::unique_ptr<LedgerDatabase>> open_read_only(const std::filesystem::path& place, bool& unfinished) {
  auto log_end = LedgerDatabase::LogEnd::whole;
  auto database = LedgerDatabase::open_to_read(place, log_end);
  unfinished = log_end != LedgerDatabase::LogEnd::whole;
  return database;
}

}  // namespace

std::string ledger_key(Sequence sequence) {
  std::string key(sizeof sequence, '\0');
  for (std::size_t at = key.size(); at-- > 0; sequence >>= 8U) key[at] = static_cast<char>(sequence & 0xFFU);
  return key;
}

tl::unexpected<Error> missing_entry(const std::filesystem::path& place, Sequence sequence,
                                    const char* remedy) {
  return fail(ErrorKind::corrupt,
              place.string() + ": ledger entry " + std::to_string(sequence) + " is missing. " + remedy);
}

Result<Sequence> last_sequence(rocksdb::DB& database, const std::filesystem::path& place) {
  const std::unique_ptr<rocksdb::Iterator> at(database.NewIterator({}));
  at->SeekToLast();
  if (!at->status().ok()) return rocks_error(at->status(), place, "cannot read the end of the ledger");
  if (!at->Valid()) return Sequence{0};
  const auto last = sequence_of(at->key().ToStringView());
  if (!last) return fail(ErrorKind::corrupt, place.string() + " holds a key that is not a sequence");
  return *last;
}

Result<CheckedLedger> check_ledger(const std::filesystem::path& database, const Mark::State& mark,
                                   const SignedState& signed_state) {
  CheckedLedger checked;
  const auto open = open_read_only(database, checked.unfinished);
  if (!open) return tl::unexpected(open.error());
  rocksdb::DB& entries = (*open)->entries();
  const Result<Sequence> head = last_sequence(entries, database);
  if (!head) return tl::unexpected(head.error());
  if (Result<void> good = check_entries(entries, database, mark, *head, checked); !good) {
    return tl::unexpected(good.error());
  }
  if (Result<void> good = check_tiles(**open, database, checked); !good) return tl::unexpected(good.error());
  if (!checked.tiled) return checked;  // they are made first
  const Result<void> extends = check_signed(**open, database, checked.edge, signed_state);
  if (!extends) return tl::unexpected(extends.error());
  return checked;
}

Result<CheckedLedger> whole_entries(const std::filesystem::path& database,
                                    const std::function<Result<void>(const SealedEntry&)>& visit) {
  CheckedLedger checked;
  const auto open = open_read_only(database, checked.unfinished);
  if (!open) return tl::unexpected(open.error());
  Result<std::string> row = (*open)->checkpoint();
  if (!row) return tl::unexpected(row.error());
  checked.signed_row = std::move(*row);
  rocksdb::DB& entries = (*open)->entries();
  const Result<Sequence> head = last_sequence(entries, database);
  if (!head) return tl::unexpected(head.error());
  const Result<Sequence> covered = covered_until(entries, database);
  if (!covered) return tl::unexpected(covered.error());
  Result<void> visited;
  Result<void> read = for_each_entry(entries, database, 1, *head, [&](const SealedEntry& entry) {
    checked.tree.append(entry.leaf);
    checked.last_leaf = entry.leaf;
    visited = visit(entry);
    return visited.has_value();
  });
  if (!visited) return tl::unexpected(visited.error());
  if (read) return checked;
  if (read.error().kind != ErrorKind::corrupt) return tl::unexpected(read.error());
  if (checked.tree.size() + 1 == *head) {
    return fail(ErrorKind::corrupt,
                read.error().text + " (it is the last one, damaged and not lost: only a backup helps)");
  }
  // What is behind the damage is still there: that is no lost end, and to cut it off would lose more.
  return fail(ErrorKind::corrupt, read.error().text + " (entries up to " + std::to_string(*head) +
                                      " follow it, so its end is not what is lost: only a backup helps)");
}

}  // namespace carehub::storage
