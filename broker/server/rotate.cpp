#include "broker/server/rotate.hpp"

#include <algorithm>

#include "broker/care/state.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/hub.hpp"
#include "broker/server/own_entries.hpp"
#include "broker/server/recover.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::server {
namespace {

struct Record {
  const char* action;
  std::string detail;
};

Bytes record_body(const Rotation& rotation, const Record& record) {
  ledger::OperatorActionT action;
  action.action = record.action;
  action.by = rotation.by.empty() ? "operator" : rotation.by;
  action.reason = rotation.reason;
  action.detail = record.detail;
  return body_bytes(std::move(action));
}

Result<Sequence> append(const Rotation& rotation, const Record& record, storage::Ledger& ledger,
                        storage::Vault& vault, storage::StateStore& store, Random& random) {
  storage::Sealer sealer(vault, random);
  care::State state(store, ledger, sealer);
  if (auto folded = state.catch_up(rotation.progress); !folded) return tl::unexpected(folded.error());
  // An erasure that was cut short comes first: its keys are not to be carried on.
  if (auto finished = finish_erasures(state, vault); !finished) return tl::unexpected(finished.error());
  const auto known = state.engine_state();
  if (!known) return tl::unexpected(known.error());
  const auto now = std::max(SystemClock().now(), known->appended_at);
  core::DayKeys day_keys(state, vault);
  const auto key = day_keys.key(core::kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  OwnEntries entries(ledger, sealer, *key, now);
  const Sequence recorded_as = entries.next();
  auto added = entries.add(storage::EntryKind::operator_action, record_body(rotation, record));
  if (added) added = entries.flush();
  if (!added) return tl::unexpected(added.error());
  return recorded_as;
}

/// Opens what the hub has, records what is about to be done, then does it, while no hub can start.
Result<Sequence> record_and(const Rotation& rotation, const Record& record, Random& random,
                            const std::function<Result<void>(Sequence recorded_as)>& change) {
  std::error_code error;
  const auto file = rotation.data / kVaultFile;
  if (!std::filesystem::exists(rotation.data / "ledger", error) || !std::filesystem::exists(file, error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger with a vault in the data directory `" + rotation.data.string() + "`");
  }
  if (auto lost = refuse_unrecorded_loss(rotation.data); !lost) return tl::unexpected(lost.error());
  auto ledger = storage::RocksLedger::open(rotation.data);
  if (!ledger) return tl::unexpected(ledger.error());
  Result<Sequence> recorded;
  {
    auto vault = storage::open_vault(file, rotation.master_key, random);
    if (!vault) return tl::unexpected(vault.error());
    auto store = storage::RocksStateStore::open(rotation.data);
    if (!store && store.error().kind == ErrorKind::corrupt) {  // no loss: it is made of the ledger
      return fail(ErrorKind::conflict,
                  "nothing was changed: the state has to be made again first, by the hub "
                  "when it starts, or by carehub rebuild, for " +
                      store.error().text);
    }
    if (!store) return tl::unexpected(store.error());
    recorded = append(rotation, record, *ledger->ledger, *vault->vault, **store, random);
    if (auto closed = (*store)->close(); !closed && recorded) return tl::unexpected(closed.error());
  }
  if (recorded) {
    if (auto changed = change(*recorded); !changed) return tl::unexpected(changed.error());
  }
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  return recorded;
}

}  // namespace

Result<Sequence> rotate_master_key(const RotateOptions& options) {
  SystemRandom random;
  return record_and(options, {kRotateAction, {}}, random, [&](Sequence) {
    return storage::rotate_master_key(options.data / kVaultFile, options.master_key, options.new_key_file,
                                      random);
  });
}

Result<Sequence> rotate_signing_key(const RotateSigningOptions& options) {
  SystemRandom random;
  const storage::SigningPlace place{
      options.signing_key_file.empty() ? options.data / kSigningKeyFile : options.signing_key_file,
      options.data / storage::kCheckpointKeysFile};
  // Made before anything is recorded: the record says which key, and an origin that none can have costs none.
  const auto next = storage::CheckpointSigner::make(
      storage::origin_or_usual(options.origin, place.public_file, options.hub_name), random);
  if (!next) return tl::unexpected(next.error());
  return record_and(options, {kRotateSigningAction, next->public_text()}, random, [&](Sequence recorded_as) {
    return storage::rotate_signing_key(place, *next, recorded_as);
  });
}

}  // namespace carehub::server
