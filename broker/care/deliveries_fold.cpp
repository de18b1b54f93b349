#include "broker/care/deliveries_fold.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_codec.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/delivery.hpp"

namespace carehub::care {
namespace {

auto cut_short(const char* what) {
  return fail(ErrorKind::corrupt, std::string(what) + " row is cut short: run carehub rebuild");
}

void put_backlog(Rows& rows, std::string_view subscription, const BacklogRow& backlog) {
  rows.put(row_keys::backlog(subscription),
           RowWriter().number(backlog.pending).number(backlog.dead).number(backlog.gaps).take());
}

/// Of replays into a subscription alone: what has become of all others nobody asks for in one number.
Result<void> count_replay(Rows& rows, std::string_view name, std::uint64_t core::ReplayCounts::* count,
                          std::uint64_t more) {
  if (more == 0 || !core::is_replay_name(name)) return {};
  auto row = replay_row(rows, name);
  if (!row) return tl::unexpected(row.error());
  (*row).*count += more;
  rows.put(
      row_keys::replay(name),
      RowWriter().number(row->offered).number(row->taken).number(row->withheld).number(row->skipped).take());
  return {};
}

/// One subscription's Offered entry as its events are folded in.
struct Offering {
  const FoldEntry& entry;
  const ledger::Offered& offered;
  std::string_view subscription;
  BacklogRow& backlog;
  Rows& rows;
};

Result<void> offer_first(const Offering& to, const ledger::OfferedRun& run, Sequence sequence) {
  core::Pending row;
  row.offered_at = to.entry.appended_at;
  row.sequence = sequence;
  row.person = key_from<PersonKey>(*run.person());
  row.attempt = run.attempt();
  row.policy_version = to.offered.policy_version();
  row.known = to.offered.known();
  row.urgency = run.urgency();
  row.type = run.type();
  row.late = to.offered.late();
  if (to.offered.late()) {
    auto dead = to.rows.get(row_keys::dead(to.subscription, sequence));
    if (!dead) return tl::unexpected(dead.error());
    if (*dead) {
      to.rows.remove(row_keys::dead(to.subscription, sequence));
      --to.backlog.dead;
    }
  } else if (to.backlog.gaps > 0) {
    const auto gap_key = row_keys::gap(to.subscription, row.person);
    auto gap = to.rows.get(gap_key);
    if (!gap) return tl::unexpected(gap.error());
    if (*gap) {
      row.after_gap = true;
      to.rows.remove(gap_key);
      --to.backlog.gaps;
    }
  }
  ++to.backlog.pending;
  to.rows.deliveries().put(to.subscription, row);
  return {};
}

Result<void> offer_again(const Offering& to, const ledger::OfferedRun& run, Sequence sequence) {
  auto row = to.rows.deliveries().pending(to.subscription, sequence);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return {};
  (*row)->attempt = run.attempt();
  (*row)->nacked = false;
  to.rows.deliveries().put(to.subscription, **row);
  return {};
}

/// The child's next delivery is marked; where there is none yet, the one that comes will be.
Result<void> leave_gap(const std::string& subscription, const core::Pending& dead, BacklogRow& backlog,
                       Rows& rows) {
  auto next = rows.deliveries().pending_of(subscription, dead.person, dead.sequence, 1);
  if (!next) return tl::unexpected(next.error());
  if (next->empty()) {
    auto gap_key = row_keys::gap(subscription, dead.person);
    auto gap = rows.get(gap_key);
    if (!gap) return tl::unexpected(gap.error());
    if (!*gap) ++backlog.gaps;
    rows.put(std::move(gap_key), std::string());
    return {};
  }
  auto row = rows.deliveries().pending(subscription, next->front().sequence);
  if (!row) return tl::unexpected(row.error());
  (*row)->after_gap = true;
  rows.deliveries().put(subscription, **row);
  return {};
}

}  // namespace

Result<void> fold_offered(const FoldEntry& entry, const ledger::Offered& offered, Rows& rows) {
  if (offered.subscription() == nullptr || offered.runs() == nullptr) return {};
  const auto subscription = offered.subscription()->string_view();
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  const bool watch = !subscription.empty() && subscription.front() == core::kWatchMark;
  const auto waiting = backlog->pending;
  const Offering to{entry, offered, subscription, *backlog, rows};
  for (const auto* run : *offered.runs()) {
    if (run->range() == nullptr || run->person() == nullptr) continue;
    for (Sequence sequence = run->range()->first(); sequence <= run->range()->last(); ++sequence) {
      if (watch) {
        core::Pending shown;
        shown.sequence = sequence;
        shown.person = key_from<PersonKey>(*run->person());
        shown.attempt = run->attempt();
        shown.policy_version = offered.policy_version();
        shown.offered_at = entry.appended_at;
        rows.deliveries().show(subscription, shown);
        continue;
      }
      auto folded = run->attempt() <= 1 ? offer_first(to, *run, sequence) : offer_again(to, *run, sequence);
      if (!folded) return folded;
    }
  }
  if (watch) return {};
  put_backlog(rows, subscription, *backlog);
  // What comes again, as late or as a further attempt, was counted when it came first.
  return count_replay(rows, subscription, &core::ReplayCounts::offered,
                      offered.late() ? 0 : backlog->pending - waiting);
}

Result<void> fold_acked(const FoldEntry& entry, const ledger::Acked& acked, Rows& rows) {
  if (acked.subscription() == nullptr || acked.ranges() == nullptr) return {};
  const auto subscription = acked.subscription()->string_view();
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  const auto waiting = backlog->pending;
  for (const auto* range : *acked.ranges()) {
    for (Sequence sequence = range->first(); sequence <= range->last(); ++sequence) {
      auto row = rows.deliveries().pending(subscription, sequence);
      if (!row) return tl::unexpected(row.error());
      if (!*row) continue;
      rows.deliveries().settle(subscription, **row, ShownState::acked, entry.appended_at);
      --backlog->pending;
    }
  }
  put_backlog(rows, subscription, *backlog);
  return count_replay(rows, subscription, &core::ReplayCounts::taken, waiting - backlog->pending);
}

Result<void> fold_withheld(const ledger::Withheld& withheld, Rows& rows) {
  if (withheld.subscription() == nullptr || withheld.ranges() == nullptr) return {};
  std::uint64_t count = 0;
  for (const auto* range : *withheld.ranges()) count += range->last() - range->first() + 1;
  return count_replay(rows, withheld.subscription()->string_view(), &core::ReplayCounts::withheld, count);
}

Result<void> fold_nacked(const ledger::Nacked& nacked, Rows& rows) {
  if (nacked.subscription() == nullptr || nacked.items() == nullptr) return {};
  const auto subscription = nacked.subscription()->string_view();
  for (const auto* item : *nacked.items()) {
    auto row = rows.deliveries().pending(subscription, item->sequence());
    if (!row) return tl::unexpected(row.error());
    if (!*row) continue;
    if (item->counted()) ++(*row)->counted;
    (*row)->nacked = true;
    rows.deliveries().put(subscription, **row);
  }
  return {};
}

Result<void> fold_dead_letter(const FoldEntry& entry, const ledger::DeadLetter& letter, Rows& rows) {
  if (letter.subscription() == nullptr) return {};
  const auto subscription = letter.subscription()->str();
  auto row = rows.deliveries().pending(subscription, letter.sequence());
  if (!row) return tl::unexpected(row.error());
  if (!*row) return {};
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  --backlog->pending;
  ++backlog->dead;
  rows.put(row_keys::dead(subscription, letter.sequence()),
           encode(**row) + RowWriter()
                               .number(letter.attempts())
                               .time(entry.appended_at.us)
                               .text(letter.code() == nullptr ? "" : letter.code()->string_view())
                               .take());
  rows.deliveries().settle(subscription, **row, ShownState::dead, entry.appended_at);
  if (auto marked = leave_gap(subscription, **row, *backlog, rows); !marked) return marked;
  put_backlog(rows, subscription, *backlog);
  return {};
}

Result<void> fold_skipped(const FoldEntry& entry, const ledger::SubscriptionChanged& change, Rows& rows) {
  if (change.change() != ledger::SubscriptionChange::skipped || change.name() == nullptr) return {};
  constexpr std::size_t kRows = 1024;
  const auto subscription = change.name()->str();
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  const auto waiting = backlog->pending;
  for (Sequence after = std::max<Sequence>(change.start(), 1) - 1;;) {
    auto found = rows.deliveries().pending_after(subscription, after, kRows);
    if (!found) return tl::unexpected(found.error());
    for (const auto& pending : *found) {
      after = pending.sequence;
      if (after > change.through()) break;
      if (kFault == Fault::sends_what_was_skipped) continue;
      --backlog->pending;
      rows.deliveries().settle(subscription, pending, ShownState::skipped, entry.appended_at);
      if (auto marked = leave_gap(subscription, pending, *backlog, rows); !marked) return marked;
    }
    if (found->size() < kRows || after > change.through()) break;
  }
  put_backlog(rows, subscription, *backlog);
  return count_replay(rows, subscription, &core::ReplayCounts::skipped, waiting - backlog->pending);
}

Result<void> fold_forgotten(const FoldEntry& entry, const std::string& subscription, const PersonKey& person,
                            Rows& rows) {
  constexpr std::size_t kRows = 1024;
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  const auto before = *backlog;
  while (true) {
    auto found = rows.deliveries().pending_of(subscription, person, 0, kRows);
    if (!found) return tl::unexpected(found.error());
    for (const auto& pending : *found) {
      rows.deliveries().settle(subscription, pending, ShownState::skipped, entry.appended_at);
      --backlog->pending;
    }
    if (found->size() < kRows) break;
  }
  for (Sequence after = 0; backlog->dead > 0;) {
    auto found = rows.scan(row_keys::dead_of(subscription), row_keys::dead(subscription, after + 1), kRows);
    if (!found) return tl::unexpected(found.error());
    for (const auto& row : *found) {
      after = row_keys::last_sequence(row.key);
      auto dead = decode_dead(after, row.value);
      if (!dead) return tl::unexpected(dead.error());
      if (dead->delivery.person != person) continue;
      rows.remove(row.key);
      --backlog->dead;
    }
    if (found->size() < kRows) break;
  }
  auto gap_key = row_keys::gap(subscription, person);
  auto gap = rows.get(gap_key);
  if (!gap) return tl::unexpected(gap.error());
  if (*gap) {
    rows.remove(gap_key);
    --backlog->gaps;
  }
  const auto skipped = before.pending - backlog->pending;
  if (skipped > 0 || before.dead != backlog->dead || before.gaps != backlog->gaps)
    put_backlog(rows, subscription, *backlog);
  return count_replay(rows, subscription, &core::ReplayCounts::skipped, skipped);
}

Result<void> fold_operator_action(const ledger::OperatorAction& action, Rows& rows) {
  if (action.action() == nullptr || action.subscription() == nullptr) return {};
  const auto done = action.action()->string_view();
  if (done != core::kDiscardAction && done != core::kMendAction) return {};
  if (kFault == Fault::leaves_a_mended_letter_dead && done == core::kMendAction) return {};
  const auto subscription = action.subscription()->string_view();
  const auto key = row_keys::dead(subscription, action.sequence());
  auto dead = rows.get(key);
  if (!dead) return tl::unexpected(dead.error());
  if (!*dead) return {};
  auto backlog = backlog_row(rows, subscription);
  if (!backlog) return tl::unexpected(backlog.error());
  rows.remove(key);
  --backlog->dead;
  put_backlog(rows, subscription, *backlog);
  return {};
}

Result<DeadRow> decode_dead(Sequence sequence, std::string_view row) {
  RowReader reader(row);
  DeadRow dead;
  dead.delivery = decode_pending(sequence, reader);
  dead.attempts = reader.number<std::uint32_t>();
  dead.at = {reader.time()};
  dead.code = reader.text();
  if (!reader.ok()) return cut_short("a dead letter's");
  return dead;
}

Result<std::optional<DeadRow>> dead_row(const RowReads& rows, const std::string& subscription,
                                        Sequence sequence) {
  auto row = rows.get(row_keys::dead(subscription, sequence));
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::optional<DeadRow>();
  auto dead = decode_dead(sequence, **row);
  if (!dead) return tl::unexpected(dead.error());
  return std::optional(std::move(*dead));
}

Result<core::ReplayCounts> replay_row(const RowReads& rows, std::string_view name) {
  auto row = rows.get(row_keys::replay(name));
  if (!row) return tl::unexpected(row.error());
  auto backlog = backlog_row(rows, name);
  if (!backlog) return tl::unexpected(backlog.error());
  core::ReplayCounts replay;
  replay.dead_letters = backlog->dead;
  replay.pending = backlog->pending;
  if (!*row) return replay;
  RowReader reader(**row);
  replay.offered = reader.number<std::uint64_t>();
  replay.taken = reader.number<std::uint64_t>();
  replay.withheld = reader.number<std::uint64_t>();
  replay.skipped = reader.number<std::uint64_t>();
  if (!reader.ok()) return cut_short("a replay's");
  return replay;
}

Result<BacklogRow> backlog_row(const RowReads& rows, std::string_view subscription) {
  auto row = rows.get(row_keys::backlog(subscription));
  if (!row) return tl::unexpected(row.error());
  BacklogRow backlog;
  if (!*row) return backlog;
  RowReader reader(**row);
  backlog.pending = reader.number<std::uint64_t>();
  backlog.dead = reader.number<std::uint64_t>();
  backlog.gaps = reader.number<std::uint64_t>();
  if (!reader.ok()) return cut_short("a subscription's backlog");
  return backlog;
}

}  // namespace carehub::care
