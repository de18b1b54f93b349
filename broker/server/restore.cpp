#include "broker/server/restore.hpp"

#include <algorithm>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/state.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/hub.hpp"
#include "broker/server/own_entries.hpp"
#include "broker/server/recover.hpp"
#include "broker/storage/backup_draft.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_restore.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/signing_key.hpp"
#include "broker/storage/vault_places.hpp"

namespace carehub::server {
namespace {

namespace fs = std::filesystem;

std::function<void(Sequence, Sequence)> told(const RestoreOptions& options, const char* step) {
  return [&options, step](Sequence done, Sequence all) {
    if (options.progress) options.progress(step, done, all);
  };
}

Result<storage::AuditReport> audit(const fs::path& directory, const RestoreOptions& options,
                                   std::vector<storage::verify::Key> keys, const char* step) {
  std::string first;
  storage::AuditOptions wanted;
  wanted.keys = std::move(keys);
  wanted.progress = told(options, step);
  wanted.fault = [&first](Sequence sequence, const std::string& fault) {
    if (first.empty()) first = (sequence == 0 ? "" : "entry " + std::to_string(sequence) + ": ") + fault;
  };
  auto report = storage::audit_ledger(directory, wanted);
  if (!report || report->faults == 0) return report;
  return fail(ErrorKind::corrupt,
              "`" + directory.string() + "` has " + std::to_string(report->faults) +
                  " faults, so nothing is restored; the first: " + first +
                  ". carehub audit verify --ledger names all of them; take another backup");
}

Result<void> check_options(const RestoreOptions& options) {
  if (!storage::is_origin(options.origin)) {
    return fail(ErrorKind::invalid,
                "the restored hub's log needs an origin of its own: --origin, like a web address without "
                "https://, such as hub.northmarch.example/ledger-2");
  }
  for (const auto& each : {options.ledger, options.vault}) {
    if (storage::is_unfinished(each)) {
      return fail(ErrorKind::invalid,
                  "`" + each.string() + "` is what a backup that was cut short has left: take another one");
    }
  }
  std::error_code error;
  if (!options.signing_key_file.empty() && fs::exists(options.signing_key_file, error)) {
    return fail(ErrorKind::conflict,
                "`" + options.signing_key_file.string() +
                    "` exists, and the restored hub needs a signing key of its own: give "
                    "another signing_key_file in [hub]");
  }
  return {};
}

/// The backup, found whole; what it is, in the result.
Result<void> look_at_backup(const RestoreOptions& options, Restored& restored) {
  const auto report = audit(options.ledger, options, options.keys, "verifying the backup");
  if (!report) return tl::unexpected(report.error());
  restored.backup_head = report->entries;
  restored.to = options.to == 0 ? report->entries : options.to;
  if (restored.to > report->entries) {
    return fail(ErrorKind::not_found, "the backup ends at entry " + std::to_string(report->entries));
  }
  if (options.given_out > restored.backup_head &&
      options.given_out - restored.backup_head > kGivenOutAheadMax) {
    return fail(ErrorKind::invalid, "entry " + std::to_string(options.given_out) +
                                        " cannot have been given out: the backup ends at " +
                                        std::to_string(restored.backup_head) + ", and at most " +
                                        std::to_string(kGivenOutAheadMax) +
                                        " numbers behind that are filled. Is it mistyped?");
  }
  restored.from_origin = report->extended->origin;
  restored.from_size = report->extended->size;
  if (restored.from_origin != options.origin) return {};
  return fail(ErrorKind::invalid, "`" + options.origin +
                                      "` is the origin of the log that the backup is of. Two hubs must never "
                                      "sign for one log: give another");
}

Result<storage::OpenedVault> restore_vault(const RestoreOptions& options, const fs::path& into,
                                           Random& random) {
  std::error_code error;
  const fs::path from = fs::is_directory(options.vault, error) ? options.vault / kVaultFile : options.vault;
  const auto size = fs::file_size(from, error);
  if (error) return fail(ErrorKind::not_found, "there is no vault in `" + options.vault.string() + "`");
  const auto source = options.master_key.beside(from);
  const auto key = storage::read_master_key(source);
  if (!key) return tl::unexpected(key.error());
  if (auto copied = storage::copy_file(from, into / kVaultFile, size, {}); !copied)
    return tl::unexpected(copied.error());
  // What is erased in the restored hub is still in the copy that it came from, and where that one knew of
  // others.
  auto known = storage::copy_vault_places(from, into / kVaultFile);
  if (known) known = storage::add_vault_places(into / kVaultFile, {options.vault});
  if (!known) return tl::unexpected(known.error());
  auto opens_with = source;
  if (options.place_master_key) {
    opens_with = into / "master.key";
    if (auto put = storage::write_master_key(opens_with.file, *key); !put) return tl::unexpected(put.error());
  }
  return storage::open_vault(into / kVaultFile, opens_with, random);
}

/// Erasures behind the last entry that is restored: they are entries of the restored ledger, too.
using LaterErasures = std::vector<ledger::ErasureT>;

Result<void> take_erasure(const storage::SealedEntry& entry, const storage::Sealer& sealer,
                          LaterErasures& later) {
  const auto opened = sealer.open(entry);
  if (!opened) return tl::unexpected(opened.error());
  flatbuffers::Verifier verifier(opened->data(), opened->size());
  const auto* erasure = verifier.VerifyBuffer<ledger::Body>(nullptr)
                            ? flatbuffers::GetRoot<ledger::Body>(opened->data())->entry_as_Erasure()
                            : nullptr;
  if (erasure == nullptr) {
    return fail(ErrorKind::corrupt,
                "entry " + std::to_string(entry.header.sequence) +
                    " is an erasure that cannot be read, so nobody knows whose keys are to "
                    "go: take another backup");
  }
  erasure->UnPackTo(&later.emplace_back());
  return {};
}

Result<LaterErasures> restore_ledger(const RestoreOptions& options, const fs::path& into,
                                     storage::Vault& vault, Random& random, const Restored& restored) {
  const storage::Sealer sealer(vault, random);
  LaterErasures later;
  const auto progress = told(options, "restoring entries");
  auto read = storage::restore_entries(
      options.ledger, into, restored.to, [&](const storage::SealedEntry& entry) -> Result<void> {
        const Sequence sequence = entry.header.sequence;
        progress(sequence, restored.backup_head);
        if (sequence > restored.to) {
          if (entry.header.kind != storage::EntryKind::erasure) return {};
          return take_erasure(entry, sealer, later);
        }
        const auto key = vault.key(entry.header.key_id);
        if (key || key.error().kind == ErrorKind::not_found) return {};
        return fail(ErrorKind::corrupt, "the vault has no key of entry " + std::to_string(sequence) +
                                            ", and never had: its copy is older than the ledger's. Give one "
                                            "that was made with this backup, or a newer one");
      });
  if (!read) return tl::unexpected(read.error());
  return later;
}

Result<std::uint64_t> destroy(const LaterErasures& later, storage::Vault& vault) {
  std::vector<KeyId> keys;
  for (const auto& erasure : later) {
    for (const auto& each : erasure.keys) {
      const auto id = key_from<KeyId>(each);
      if (vault.key(id)) keys.push_back(id);
    }
  }
  if (auto gone = vault.destroy(keys); !gone) return tl::unexpected(gone.error());
  return keys.size();
}

ledger::OperatorActionT restore_record(const RestoreOptions& options, const Restored& restored) {
  ledger::OperatorActionT action;
  action.action = kRestoreAction;
  action.by = options.by;
  action.reason = options.reason;
  action.sequence = restored.to;
  action.detail = "entries 1 to " + std::to_string(restored.to) + " of " +
                  std::to_string(restored.backup_head) + " in a backup of the log " + restored.from_origin +
                  ", whose checkpoint of " + std::to_string(restored.from_size) + " entries it extends; " +
                  std::to_string(restored.erasures) + " erasures behind them are honoured";
  return action;
}

/// The record, the erasures that are left out otherwise, and something under every number that was given out.
Result<void> append_record(const RestoreOptions& options, LaterErasures later, Timestamp at, const KeyId& key,
                           storage::Ledger& ledger, storage::Sealer& sealer, Restored& restored) {
  OwnEntries entries(ledger, sealer, key, at);
  restored.recorded_as = entries.next();
  auto added =
      entries.add(storage::EntryKind::operator_action, body_bytes(restore_record(options, restored)));
  for (auto& erasure : later) {
    erasure.complete = false;
    if (added) added = entries.add(storage::EntryKind::erasure, body_bytes(std::move(erasure)));
  }
  ledger::OperatorActionT left_out;
  left_out.action = kLostAction;
  left_out.sequence = restored.recorded_as;
  const Bytes filler = body_bytes(std::move(left_out));
  const Sequence given_out = std::max(options.given_out, restored.backup_head);
  const auto progress = told(options, "filling the numbers of what is left out");
  while (added && entries.next() <= given_out) {
    added = entries.add(storage::EntryKind::operator_action, filler);
    progress(entries.next() - 1, given_out);
  }
  if (added) added = entries.flush();
  restored.head = ledger.head();
  return added;
}

/// Folds the state anew and finishes every erasure, before anything can be served.
Result<void> record(const RestoreOptions& options, LaterErasures later, const fs::path& into,
                    storage::Ledger& ledger, storage::Vault& vault, Random& random, Restored& restored) {
  auto store = storage::RocksStateStore::open(into);
  if (!store) return tl::unexpected(store.error());
  storage::Sealer sealer(vault, random);
  {
    care::State state(**store, ledger, sealer);
    if (auto folded = state.catch_up(told(options, "folding the ledger")); !folded) return folded;
    const auto finished = finish_erasures(state, vault);
    if (!finished) return tl::unexpected(finished.error());
    restored.keys_destroyed += *finished;
    const auto known = state.engine_state();
    if (!known) return tl::unexpected(known.error());
    const auto now = std::max(SystemClock().now(), known->appended_at);
    core::DayKeys day_keys(state, vault);
    const auto key = day_keys.key(core::kHubPurpose, now);
    if (!key) return tl::unexpected(key.error());
    if (auto appended = append_record(options, std::move(later), now, *key, ledger, sealer, restored);
        !appended)
      return appended;
  }
  return (*store)->close();
}

/// What the old log's people signed stays beside it, as evidence.
Result<void> keep_signed(const RestoreOptions& options, const fs::path& into) {
  std::error_code error;
  const fs::path from =
      fs::exists(options.ledger / "CURRENT", error) ? options.ledger.parent_path() : options.ledger;
  for (const auto& [name, kept] : {std::pair(storage::kCheckpointFile, kRestoredCheckpointFile),
                                   std::pair(storage::kCheckpointKeysFile, kRestoredKeysFile)}) {
    const auto size = fs::file_size(from / name, error);
    if (error) continue;
    if (auto copied = storage::copy_file(from / name, into / kept, size, {}); !copied) return copied;
  }
  return {};
}

Result<void> fill(const RestoreOptions& options, const fs::path& into, Restored& restored) {
  SystemRandom random;
  auto vault = restore_vault(options, into, random);
  if (!vault) return tl::unexpected(vault.error());
  restored.notices = vault->notices;
  auto later = restore_ledger(options, into, *vault->vault, random, restored);
  if (!later) return tl::unexpected(later.error());
  restored.erasures = later->size();
  const auto destroyed = destroy(*later, *vault->vault);
  if (!destroyed) return tl::unexpected(destroyed.error());
  restored.keys_destroyed = *destroyed;
  auto signer = storage::open_signing_key({into / kSigningKeyFile, into / storage::kCheckpointKeysFile},
                                          options.origin, random);
  if (!signer) return tl::unexpected(signer.error());
  const std::string secret = signer->secret_text() + "\n";
  auto ledger = storage::RocksLedger::open(into, std::move(*signer));
  if (!ledger) return tl::unexpected(ledger.error());
  if (auto done = record(options, std::move(*later), into, *ledger->ledger, *vault->vault, random, restored);
      !done)
    return done;
  if (auto closed = ledger->ledger->close(); !closed) return closed;
  if (auto kept = keep_signed(options, into); !kept) return kept;
  if (auto good = audit(into, options, {}, "verifying what was restored"); !good)
    return tl::unexpected(good.error());
  if (options.signing_key_file.empty()) return {};
  std::error_code error;
  fs::remove(into / kSigningKeyFile, error);
  return storage::write_new_file(options.signing_key_file, secret);
}

}  // namespace

Result<Restored> restore_hub(const RestoreOptions& options) {
  if (auto good = check_options(options); !good) return tl::unexpected(good.error());
  Restored restored;
  if (auto looked = look_at_backup(options, restored); !looked) return tl::unexpected(looked.error());
  auto draft = storage::BackupDraft::make(options.into);
  if (!draft) return tl::unexpected(draft.error());
  if (auto filled = fill(options, draft->path(), restored); !filled) return tl::unexpected(filled.error());
  if (auto done = draft->finish(); !done) return tl::unexpected(done.error());
  return restored;
}

}  // namespace carehub::server
