#include "broker/server/recover.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include "broker/base/limits.hpp"
#include "broker/care/state.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/server/hub.hpp"
#include "broker/server/own_entries.hpp"
#include "broker/storage/file.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_recovery.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::server {
namespace {

namespace fs = std::filesystem;

Result<storage::OpenedVault> open_keys(const RecoverOptions& options, Random& random) {
  const fs::path file = options.data / kVaultFile;
  std::error_code error;
  if (!fs::exists(file, error)) {
    return fail(ErrorKind::corrupt, "vault `" + file.string() +
                                        "` is missing: only its keys open the ledger's entries. Restore it");
  }
  return storage::open_vault(file, options.master_key, random);
}

/// What an earlier call accepted and may not have come to record.
struct Intent {
  Sequence whole = 0;
  Sequence lost_to = 0;
};

std::optional<Intent> intended(const fs::path& data) {
  std::ifstream file(data / kLossFile);
  Intent intent;
  if (!(file >> intent.whole >> intent.lost_to)) return std::nullopt;
  return intent;
}

/// Under another name first, so that what has the name is whole.
Result<void> intend(const fs::path& data, const Recovery& recovery) {
  const fs::path draft = data / (std::string(kLossFile) + ".new");
  std::error_code error;
  fs::remove(draft, error);
  auto file = storage::File::create(draft);
  if (!file) return tl::unexpected(file.error());
  const auto text = std::to_string(recovery.whole) + " " + std::to_string(recovery.lost_to) + "\n";
  auto put = file->write_at(0, bytes_of(text));
  if (put) put = file->sync();
  if (!put) return put;
  fs::rename(draft, data / kLossFile, error);
  if (error) return fail(ErrorKind::unavailable, draft.string() + " cannot be renamed: " + error.message());
  return storage::sync_directory(data);
}

Result<void> forget_intent(const fs::path& data) {
  std::error_code error;
  fs::remove(data / kLossFile, error);
  if (error) {
    return fail(ErrorKind::unavailable, "`" + (data / kLossFile).string() +
                                            "` cannot be removed: remove it, nothing is left to record");
  }
  return storage::sync_directory(data);
}

Bytes record_body(const RecoverOptions& options, const Recovery& recovery) {
  ledger::OperatorActionT action;
  action.action = kAcceptLossAction;
  action.by = options.by;
  action.reason = options.reason;
  action.sequence = recovery.whole;
  action.detail = recovery.lost_to == 0
                      ? "whatever followed entry " + std::to_string(recovery.whole) + " may be lost: no mark"
                      : "entries " + std::to_string(recovery.whole + 1) + " to " +
                            std::to_string(recovery.lost_to) + " were durable and are lost";
  return body_bytes(std::move(action));
}

/// Stands where a lost entry stood; `sequence` is the record's, which says who and why.
Bytes lost_body(Sequence record) {
  ledger::OperatorActionT action;
  action.action = kLostAction;
  action.sequence = record;
  return body_bytes(std::move(action));
}

/// Is this the record of the loss behind `whole`?
bool is_record(const storage::SealedEntry& entry, Sequence whole, storage::Vault& vault, Random& random) {
  if (entry.header.kind != storage::EntryKind::operator_action) return false;
  const auto body = storage::Sealer(vault, random).open(entry);
  if (!body) return false;
  flatbuffers::Verifier verifier(body->data(), body->size());
  if (!verifier.VerifyBuffer<ledger::Body>(nullptr)) return false;
  const auto* action = flatbuffers::GetRoot<ledger::Body>(body->data())->entry_as_OperatorAction();
  return action != nullptr && action->action() != nullptr &&
         action->action()->string_view() == kAcceptLossAction && action->sequence() == whole;
}

/// Records the loss, unless an earlier call did, and fills the numbers of what is lost, so that none of them
/// is ever given to something else: partners drop what they have seen by its number, and clients show the
/// last receipt that they hold.
Result<void> record(const RecoverOptions& options, const Recovery& recovery, storage::Ledger& ledger,
                    storage::Vault& vault, Random& random) {
  // The state may be ahead of what is left of the ledger.
  if (auto gone = storage::RocksStateStore::destroy(options.data); !gone) return gone;
  auto store = storage::RocksStateStore::open(options.data);
  if (!store) return tl::unexpected(store.error());
  storage::Sealer sealer(vault, random);
  {
    care::State state(**store, ledger, sealer);
    if (auto folded = state.catch_up(options.progress); !folded) return folded;
    const auto known = state.engine_state();
    if (!known) return tl::unexpected(known.error());
    const auto now = std::max(SystemClock().now(), known->appended_at);
    core::DayKeys day_keys(state, vault);
    const auto key = day_keys.key(core::kHubPurpose, now);
    if (!key) return tl::unexpected(key.error());
    OwnEntries writer(ledger, sealer, *key, now);
    if (ledger.head() == recovery.whole) {
      if (auto added = writer.add(storage::EntryKind::operator_action, record_body(options, recovery));
          !added)
        return added;
    }
    const Bytes lost = lost_body(recovery.whole + 1);
    while (writer.next() <= recovery.lost_to) {
      if (auto added = writer.add(storage::EntryKind::operator_action, lost); !added) return added;
      if (options.progress && ledger.head() + 1 == writer.next())
        options.progress(ledger.head(), recovery.lost_to);
    }
    if (auto flushed = writer.flush(); !flushed) return flushed;
  }
  return (*store)->close();
}

/// What is there, and what an earlier call may have left half done.
struct Look {
  storage::LedgerLoss loss;
  Recovery recovery;
  bool recorded = false;  // the loss is on record; numbers may still have to be filled
};

Result<Look> look(const RecoverOptions& options, storage::Vault& vault, Random& random) {
  const auto intent = intended(options.data);
  bool recorded = false;
  auto loss = storage::find_loss(options.data, [&](const storage::SealedEntry& entry) -> Result<void> {
    if (const auto key = vault.key(entry.header.key_id); !key && key.error().kind != ErrorKind::not_found) {
      return fail(ErrorKind::corrupt, "entry " + std::to_string(entry.header.sequence) +
                                          ": its key is not in the vault and was never destroyed there. That "
                                          "is no loss to accept: restore the newest vault");
    }
    if (intent && entry.header.sequence == intent->whole + 1) {
      recorded = is_record(entry, intent->whole, vault, random);
    }
    return {};
  });
  if (!loss) return tl::unexpected(loss.error());
  Look found{std::move(*loss), {}, recorded};
  Recovery& recovery = found.recovery;
  recovery.whole = found.loss.whole;
  recovery.lost = found.loss.any();
  recovery.lost_to = found.loss.marked.value_or(0);
  std::error_code error;
  recovery.unfinished = fs::exists(options.data / kLossFile, error);
  if (intent) {
    // What was whole then and is not there now was durable, too.
    recovery.lost_to = std::max({recovery.lost_to, intent->lost_to, intent->whole});
    recovery.lost = recovery.lost || recovery.whole == intent->whole || recovery.lost_to > recovery.whole;
  }
  if (recovery.lost_to <= recovery.whole) recovery.lost_to = 0;
  // More was lost since: that is a loss of its own.
  if (found.loss.any()) found.recorded = false;
  if (found.recorded) {
    recovery.whole = intent->whole;
    recovery.lost_to = intent->lost_to;
  }
  return found;
}

}  // namespace

Result<void> refuse_unrecorded_loss(const fs::path& data) {
  std::error_code error;
  if (!fs::exists(data / kLossFile, error)) return {};
  return fail(ErrorKind::corrupt, "`" + (data / kLossFile).string() +
                                      "`: a loss was accepted and is not recorded yet. Run carehub "
                                      "recover --accept-loss again: it finishes that");
}

Result<Recovery> recover_ledger(const RecoverOptions& options) {
  SystemRandom random;
  std::error_code error;
  if (!fs::exists(options.data / "ledger", error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger in the data directory `" + options.data.string() + "`");
  }
  auto vault = open_keys(options, random);
  if (!vault) return tl::unexpected(vault.error());
  auto found = look(options, *vault->vault, random);
  if (!found) return tl::unexpected(found.error());
  Recovery& recovery = found->recovery;
  recovery.notices = vault->notices;
  if (!options.accept) return recovery;

  if (recovery.lost) {
    if (!found->recorded) {
      if (auto told = intend(options.data, recovery); !told) return tl::unexpected(told.error());
    }
    if (found->loss.any()) {
      if (auto accepted = storage::accept_loss(options.data, found->loss); !accepted)
        return tl::unexpected(accepted.error());
    }
    auto ledger = storage::RocksLedger::open(options.data);
    if (!ledger) return tl::unexpected(ledger.error());
    if (auto recorded = record(options, recovery, *ledger->ledger, *vault->vault, random); !recorded) {
      return tl::unexpected(recorded.error());
    }
    if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  }
  if (recovery.lost || found->recorded) recovery.recorded_as = recovery.whole + 1;
  if (recovery.lost || recovery.unfinished) {
    if (auto forgotten = forget_intent(options.data); !forgotten) return tl::unexpected(forgotten.error());
    recovery.unfinished = false;
  }
  return recovery;
}

}  // namespace carehub::server
