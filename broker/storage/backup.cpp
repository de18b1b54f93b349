#include "broker/storage/backup.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/vault_places.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

/// What a backup may take of the disk: the hub's own syncs go first.
constexpr double kBytesPerSecondMax = 128U << 20U;

class Pace {
 public:
  void took(std::uint64_t bytes) {
    bytes_ += double(bytes);
    std::this_thread::sleep_until(began_ + std::chrono::duration_cast<steady_clock::duration>(
                                               std::chrono::duration<double>(bytes_ / kBytesPerSecondMax)));
  }

 private:
  steady_clock::time_point began_ = steady_clock::now();
  double bytes_ = 0;
};

bool lies_in(const fs::path& inner, const fs::path& outer) {
  const auto [rest, end] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return rest == outer.end();
}

/// Links are followed: two names may be one place.
fs::path place_of(const fs::path& path) {
  std::error_code error;
  fs::path place = fs::weakly_canonical(path, error);
  if (error) place = path.lexically_normal();
  return place.has_filename() ? place : place.parent_path();
}

Result<Sequence> copy_ledger(const RocksLedger& ledger, const BackupPlan& plan, const BackupTold& told) {
  auto draft = BackupDraft::make(plan.ledger);
  if (!draft) return tl::unexpected(draft.error());
  const Sequence durable = ledger.head();
  Pace pace;
  std::uint64_t before = 0;
  auto copied = ledger.copy_to(draft->path() / "ledger", [&](std::uint64_t done, std::uint64_t all) {
    pace.took(done - before);
    before = done;
    return told("copying the ledger, bytes", done, all);
  });
  if (!copied) return tl::unexpected(copied.error());
  auto head = finish_ledger_copy(draft->path(), plan.data);
  if (!head) return head;
  if (*head < durable) {
    return fail(ErrorKind::corrupt, "the copy ends at entry " + std::to_string(*head) + ", and entry " +
                                        std::to_string(durable) + " was durable. Look at both disks");
  }
  bool stopped = false;
  std::string first_fault;
  AuditOptions audit;
  audit.progress = [&](Sequence done, Sequence all) {
    stopped = !told("verifying the copy, entries", done, all);
  };
  audit.stopped = [&] { return stopped; };
  audit.fault = [&](Sequence sequence, const std::string& fault) {
    if (first_fault.empty())
      first_fault = (sequence == 0 ? "" : "entry " + std::to_string(sequence) + ": ") + fault;
  };
  const auto report = audit_ledger(draft->path(), audit);
  if (!report) return tl::unexpected(report.error());
  if (report->faults > 0) {
    return fail(ErrorKind::corrupt, "the copy has " + std::to_string(report->faults) +
                                        " faults and is removed again; the first: " + first_fault +
                                        ". Is the hub's own disk sound, or that of the copy? Stop the hub "
                                        "and run carehub audit verify --ledger on its data");
  }
  if (auto done = draft->finish(); !done) return tl::unexpected(done.error());
  return head;
}

Result<void> copy_vault(const CopyVault& vault, const BackupPlan& plan, const BackupTold& told) {
  std::error_code error;
  const auto all = fs::file_size(plan.data / "vault", error);
  auto draft = BackupDraft::make(plan.vault);
  if (!draft) return tl::unexpected(draft.error());
  // Before it holds a key: an erasure has to know of it, however this ends.
  const fs::path own = plan.data / "vault";
  auto known = add_vault_places(own, {draft->path(), draft->place()});
  if (known) known = copy_vault_places(own, draft->path() / "vault");
  if (known) known = add_vault_places(draft->path() / "vault", {plan.data, draft->place()});
  if (!known) return known;
  Pace pace;
  std::uint64_t done = 0;
  return vault(
      draft->path() / "vault",
      [&](std::uint64_t bytes) {
        pace.took(bytes);
        done += bytes;
        return told("copying the vault, bytes", done, std::max<std::uint64_t>(done, error ? 0 : all));
      },
      [&] { return draft->finish(); });
}

}  // namespace

Result<void> check_plan(const BackupPlan& plan) {
  if (plan.ledger.empty() && plan.vault.empty())
    return fail(ErrorKind::invalid, "say where the copy of the ledger goes, or of the vault, or both");
  const fs::path data = place_of(plan.data);
  for (const auto& each : {plan.ledger, plan.vault}) {
    if (each.empty()) continue;
    if (!each.is_absolute()) {
      return fail(ErrorKind::invalid, "`" + each.string() +
                                          "`: give the whole path, from / on: it is a directory on the hub's "
                                          "machine");
    }
    if (lies_in(place_of(each), data) || lies_in(data, place_of(each))) {
      return fail(ErrorKind::invalid, "`" + each.string() +
                                          "` and the hub's data directory lie in one another: a backup goes "
                                          "elsewhere, at best on another disk");
    }
  }
  if (plan.ledger.empty() || plan.vault.empty()) return {};
  const fs::path ledger = place_of(plan.ledger);
  const fs::path vault = place_of(plan.vault);
  if (!lies_in(ledger, vault) && !lies_in(vault, ledger)) return {};
  return fail(ErrorKind::invalid,
              "the copies of ledger and vault lie in one another: whoever has the ledger's copy must not "
              "have the keys to it, so keep them apart");
}

Result<Sequence> make_backup(const RocksLedger& ledger, const CopyVault& vault, const BackupPlan& plan,
                             const BackupTold& told) {
  if (auto good = check_plan(plan); !good) return tl::unexpected(good.error());
  Result<Sequence> head = Sequence{0};
  if (!plan.ledger.empty()) head = copy_ledger(ledger, plan, told);
  if (!head) return fail(head.error().kind, "no backup was made: " + head.error().text);
  if (plan.vault.empty()) return head;
  if (auto copied = copy_vault(vault, plan, told); !copied) {
    const std::string before =
        plan.ledger.empty() ? "" : "the ledger's copy is whole, in `" + plan.ledger.string() + "`; ";
    return fail(copied.error().kind, before + "the vault was not copied: " + copied.error().text);
  }
  return head;
}

}  // namespace carehub::storage
