#include "broker/server/recover.hpp"

#include <algorithm>
#include <fstream>
#include <future>
#include <optional>

#include "broker/care/state.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/server/hub.hpp"
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
  return storage::open_vault(
      file, options.master_key_file.empty() ? options.data / kMasterKeyFile : options.master_key_file,
      random);
}

/// The loss that an earlier call accepted and did not come to record.
std::optional<Recovery> unrecorded(const fs::path& data) {
  std::ifstream file(data / kLossFile);
  Recovery recovery;
  if (!(file >> recovery.whole >> recovery.lost_to)) return std::nullopt;
  recovery.lost = true;
  return recovery;
}

Result<void> intend(const fs::path& data, const Recovery& recovery) {
  const auto path = data / kLossFile;
  std::error_code error;
  fs::remove(path, error);
  auto file = storage::File::create(path);
  if (!file) return tl::unexpected(file.error());
  const auto text = std::to_string(recovery.whole) + " " + std::to_string(recovery.lost_to) + "\n";
  const auto bytes = bytes_of(text);
  if (auto put = file->write_at(0, bytes); !put) return put;
  if (auto synced = file->sync(); !synced) return synced;
  return storage::sync_directory(data);
}

Bytes action_body(const RecoverOptions& options, const Recovery& recovery) {
  ledger::OperatorActionT action;
  action.action = "accept_loss";
  action.by = options.by;
  action.reason = options.reason;
  action.sequence = recovery.whole;
  action.detail = recovery.lost_to == 0
                      ? "whatever followed entry " + std::to_string(recovery.whole) + " may be lost: no mark"
                      : "entries " + std::to_string(recovery.whole + 1) + " to " +
                            std::to_string(recovery.lost_to) + " were durable and are lost";
  ledger::BodyT body;
  body.entry.Set(std::move(action));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Body::Pack(builder, &body));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

/// Appends the OperatorAction to the open ledger and waits until it is durable.
Result<Sequence> record(const RecoverOptions& options, const Recovery& recovery, storage::Ledger& ledger,
                        storage::Vault& vault, Random& random) {
  // The state may be ahead of what is left of the ledger.
  if (auto gone = storage::RocksStateStore::destroy(options.data); !gone) return tl::unexpected(gone.error());
  auto store = storage::RocksStateStore::open(options.data);
  if (!store) return tl::unexpected(store.error());
  storage::Sealer sealer(vault, random);
  {
    care::State state(**store, ledger, sealer);
    if (auto folded = state.catch_up(options.progress); !folded) return tl::unexpected(folded.error());
    const auto known = state.engine_state();
    if (!known) return tl::unexpected(known.error());
    const auto now = std::max(SystemClock().now(), known->appended_at);
    core::DayKeys day_keys(state, vault);
    const auto key = day_keys.key(core::kHubPurpose, now);
    if (!key) return tl::unexpected(key.error());
    sealer.begin_batch();
    auto sealed = sealer.seal(storage::EntryKind::operator_action, *key, ledger.head() + 1, now,
                              action_body(options, recovery));
    if (!sealed) return tl::unexpected(sealed.error());
    std::vector<storage::SealedEntry> batch;
    batch.push_back(std::move(*sealed));
    std::promise<Result<Sequence>> appended;
    ledger.append(std::move(batch), [&](Result<Sequence> done) { appended.set_value(std::move(done)); });
    if (auto done = appended.get_future().get(); !done) return done;
  }
  if (auto closed = (*store)->close(); !closed) return tl::unexpected(closed.error());
  return ledger.head();
}

}  // namespace

Result<Recovery> recover_ledger(const RecoverOptions& options) {
  SystemRandom random;
  std::error_code error;
  if (!fs::exists(options.data / "ledger", error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger in the data directory `" + options.data.string() + "`");
  }
  auto vault = open_keys(options, random);
  if (!vault) return tl::unexpected(vault.error());
  const auto loss = storage::find_loss(options.data, [&](const storage::SealedEntry& entry) -> Result<void> {
    if (vault->vault->key(entry.header.key_id)) return {};
    return fail(ErrorKind::corrupt, "entry " + std::to_string(entry.header.sequence) +
                                        ": its key is not in the vault and no erasure is recorded. That is "
                                        "no loss to accept: restore the newest vault");
  });
  if (!loss) return tl::unexpected(loss.error());
  Recovery recovery{loss->whole, loss->marked.value_or(0), loss->any(), 0};
  const auto intended = unrecorded(options.data);
  if (intended) {
    recovery.lost = true;
    recovery.whole = std::min(recovery.whole, intended->whole);
    recovery.lost_to = std::max(recovery.lost_to, intended->lost_to);
  }
  if (!recovery.lost || !options.accept) return recovery;

  if (loss->any()) {
    if (auto told = intend(options.data, recovery); !told) return tl::unexpected(told.error());
    if (auto accepted = storage::accept_loss(options.data, *loss); !accepted) {
      return tl::unexpected(accepted.error());
    }
  }
  auto ledger = storage::RocksLedger::open(options.data);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto recorded = record(options, recovery, *ledger->ledger, *vault->vault, random);
  if (!recorded) return tl::unexpected(recorded.error());
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  fs::remove(options.data / kLossFile, error);
  if (error) {
    return fail(ErrorKind::unavailable, "`" + (options.data / kLossFile).string() +
                                            "` cannot be removed: remove it, the loss is recorded");
  }
  recovery.recorded_as = *recorded;
  return recovery;
}

}  // namespace carehub::server
