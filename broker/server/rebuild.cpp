#include "broker/server/rebuild.hpp"

#include "broker/care/state.hpp"
#include "broker/server/erasures.hpp"
#include "broker/server/falls.hpp"
#include "broker/server/hub.hpp"
#include "broker/server/log.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"

namespace carehub::server {
namespace {

void tell(const std::vector<std::string>& notices) {
  for (const std::string& notice : notices) log_notice("start-mended", notice);
}

}  // namespace

Result<Sequence> rebuild_state(const RebuildOptions& options) {
  std::error_code error;
  if (!std::filesystem::exists(options.data / "ledger", error)) {
    return fail(ErrorKind::not_found,
                "there is no ledger in the data directory `" + options.data.string() + "`");
  }
  // The open ledger keeps every hub away: only then may the state go.
  auto ledger = storage::RocksLedger::open(options.data);
  if (!ledger) return tl::unexpected(ledger.error());
  tell(ledger->notices);
  SystemRandom random;
  auto vault = storage::open_vault(options.data / kVaultFile, options.master_key, random);
  if (!vault) return tl::unexpected(vault.error());
  tell(vault->notices);
  if (auto gone = storage::RocksStateStore::destroy(options.data); !gone) return tl::unexpected(gone.error());
  auto store = storage::RocksStateStore::open(options.data);
  if (!store) return tl::unexpected(store.error());
  storage::Sealer sealer(*vault->vault, random);
  const auto work_note = open_work_note(options.data);
  if (work_note != nullptr) {
    auto recorded = record_passed_over(work_note->note(), *ledger->ledger, sealer, *vault->vault, **store,
                                       SystemClock().now());
    if (!recorded) return tl::unexpected(recorded.error());
  }
  {
    care::State state(**store, *ledger->ledger, sealer);
    auto folded = state.catch_up(options.progress, work_note != nullptr ? &work_note->note() : nullptr);
    if (!folded) return tl::unexpected(folded.error());
    if (auto finished = finish_erasures(state, *vault->vault); !finished)
      return tl::unexpected(finished.error());
  }
  const Sequence head = ledger->ledger->head();
  if (auto closed = (*store)->close(); !closed) return tl::unexpected(closed.error());
  if (auto closed = ledger->ledger->close(); !closed) return tl::unexpected(closed.error());
  return head;
}

}  // namespace carehub::server
