#include "broker/server/rotate.hpp"

#include <algorithm>
#include <future>

#include "broker/care/state.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/hub.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::server {
namespace {

struct Record {
  const char* action;
  std::string by;
  std::string reason;
  std::function<void(Sequence done, Sequence all)> progress;
};

Bytes record_body(const Record& record) {
  ledger::OperatorActionT action;
  action.action = record.action;
  action.by = record.by.empty() ? "operator" : record.by;
  action.reason = record.reason;
  ledger::BodyT body;
  body.entry.Set(std::move(action));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Body::Pack(builder, &body));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

Result<Sequence> append(const Record& record, storage::Ledger& ledger, storage::Vault& vault,
                        storage::StateStore& store, Random& random) {
  storage::Sealer sealer(vault, random);
  care::State state(store, ledger, sealer);
  if (auto folded = state.catch_up(record.progress); !folded) return tl::unexpected(folded.error());
  // An erasure that was cut short comes first: its keys are not to be carried on.
  if (auto finished = finish_erasures(state, vault); !finished) return tl::unexpected(finished.error());
  const auto known = state.engine_state();
  if (!known) return tl::unexpected(known.error());
  const auto now = std::max(SystemClock().now(), known->appended_at);
  core::DayKeys day_keys(state, vault);
  const auto key = day_keys.key(core::kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  sealer.begin_batch();
  auto sealed =
      sealer.seal(storage::EntryKind::operator_action, *key, ledger.head() + 1, now, record_body(record));
  if (!sealed) return tl::unexpected(sealed.error());
  std::promise<Result<Sequence>> appended;
  ledger.append({std::move(*sealed)}, [&](Result<Sequence> done) { appended.set_value(std::move(done)); });
  return appended.get_future().get();
}

}  // namespace

Result<Sequence> rotate_master_key(const RotateOptions& options) {
  SystemRandom random;
  std::error_code error;
  const auto file = options.data / kVaultFile;
  if (!std::filesystem::exists(options.data / "ledger", error) || !std::filesystem::exists(file, error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger with a vault in the data directory `" + options.data.string() + "`");
  }
  auto ledger = storage::RocksLedger::open(options.data);
  if (!ledger) return tl::unexpected(ledger.error());
  Result<Sequence> recorded;
  {
    auto vault = storage::open_vault(file, options.master_key, random);
    if (!vault) return tl::unexpected(vault.error());
    auto store = storage::RocksStateStore::open(options.data);
    if (!store) return tl::unexpected(store.error());
    recorded = append({kRotateAction, options.by, options.reason, options.progress}, *ledger->ledger,
                      *vault->vault, **store, random);
    if (auto closed = (*store)->close(); !closed && recorded) return tl::unexpected(closed.error());
  }
  if (recorded) {
    auto rotated = storage::rotate_master_key(file, options.master_key, options.new_key_file, random);
    if (!rotated) return tl::unexpected(rotated.error());
  }
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  return recorded;
}

Result<Sequence> rotate_signing_key(const RotateSigningOptions& options) {
  SystemRandom random;
  std::error_code error;
  const auto file = options.data / kVaultFile;
  if (!std::filesystem::exists(options.data / "ledger", error) || !std::filesystem::exists(file, error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger with a vault in the data directory `" + options.data.string() + "`");
  }
  auto ledger = storage::RocksLedger::open(options.data);
  if (!ledger) return tl::unexpected(ledger.error());
  Result<Sequence> recorded;
  {
    auto vault = storage::open_vault(file, options.master_key, random);
    if (!vault) return tl::unexpected(vault.error());
    auto store = storage::RocksStateStore::open(options.data);
    if (!store) return tl::unexpected(store.error());
    recorded = append({kRotateSigningAction, options.by, options.reason, options.progress}, *ledger->ledger,
                      *vault->vault, **store, random);
    if (auto closed = (*store)->close(); !closed && recorded) return tl::unexpected(closed.error());
  }
  if (recorded) {
    const storage::SigningPlace place{
        options.signing_key_file.empty() ? options.data / kSigningKeyFile : options.signing_key_file,
        options.data / storage::kCheckpointKeysFile};
    auto rotated = storage::rotate_signing_key(
        place, storage::origin_or_usual(options.origin, place.public_file, ""), random);
    if (!rotated) return tl::unexpected(rotated.error());
  }
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  return recorded;
}

}  // namespace carehub::server
