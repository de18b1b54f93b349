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

namespace carehub::server {
namespace {

Bytes record_body(const RotateOptions& options) {
  ledger::OperatorActionT action;
  action.action = kRotateAction;
  action.by = options.by.empty() ? "operator" : options.by;
  action.reason = options.reason;
  ledger::BodyT body;
  body.entry.Set(std::move(action));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(ledger::Body::Pack(builder, &body));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

Result<Sequence> append(const RotateOptions& options, storage::Ledger& ledger, storage::Vault& vault,
                        storage::StateStore& store, Random& random) {
  storage::Sealer sealer(vault, random);
  care::State state(store, ledger, sealer);
  if (auto folded = state.catch_up(options.progress); !folded) return tl::unexpected(folded.error());
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
      sealer.seal(storage::EntryKind::operator_action, *key, ledger.head() + 1, now, record_body(options));
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
    recorded = append(options, *ledger->ledger, *vault->vault, **store, random);
    if (auto closed = (*store)->close(); !closed && recorded) return tl::unexpected(closed.error());
  }
  if (recorded) {
    auto rotated = storage::rotate_master_key(file, options.master_key, options.new_key_file, random);
    if (!rotated) return tl::unexpected(rotated.error());
  }
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  return recorded;
}

}  // namespace carehub::server
