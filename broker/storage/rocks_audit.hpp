#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/ids.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {

struct AuditOptions {
  std::vector<verify::Key> keys;  // of the auditor's own; none: those that lie beside the ledger
  std::function<void(Sequence done, Sequence all)> progress;               // now and then, and at the end
  std::function<void(Sequence sequence, const std::string& fault)> fault;  // 0: about none of its own
  std::function<void(const std::string& notice)> notice = {};  // what is worth a look, and no fault
  std::function<bool()> stopped = {};  // asked now and then; true ends it, `unavailable`
};

struct AuditReport {
  Sequence entries = 0;  // the last one
  Hash root{};           // of the tree over all of them
  std::uint64_t faults = 0;
  Sequence first_bad = 0;                      // 0: none
  std::optional<verify::Checkpoint> extended;  // the signed checkpoint that it extends
};

/// Reads all of a stopped hub's ledger, or of a backup, changing nothing: every entry's bytes, sequence, time
/// and hash, every tile, the root at the mark and at the signed checkpoint. What is wrong is told, and it
/// goes on; a long row of entries that are missing or unreadable is one fault. Keys and bytes may be
/// anybody's. `directory` is a data directory or the database in it. Errors: `not_found`, `unavailable` (a
/// hub runs on it), `corrupt` where the database does not open at all.
Result<AuditReport> audit_ledger(const std::filesystem::path& directory, const AuditOptions& options);

/// A proof, C2SP tlog-proof, that an entry is under the newest signed checkpoint of a stopped hub's ledger or
/// of a backup. `not_found`: no such entry, or none signed yet.
Result<std::string> prove_entry(const std::filesystem::path& directory, Sequence sequence);

}  // namespace carehub::storage
