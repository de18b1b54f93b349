#pragma once

#include "broker/care/past_search.hpp"
#include "broker/care/replay_answers.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/policy.hpp"

/// Questions about the past, answered in pages from the ledger and its folds. Every event is shown as the
/// asker's role may see it under the policy that decides, or not at all.
namespace carehub::care {

/// Sees what is durable, so a question runs once its Access entry is. Thread-safe apart from use_policy().
/// `subscriptions` and `status` read row after row while others are written, so their figures may differ by
/// what was written meanwhile.
class History {
 public:
  History(const State& state, const storage::Ledger& ledger, const storage::Sealer& sealer,
          const storage::StateStore& store, const storage::Vault& vault, std::vector<core::Agency> agencies);
  ~History();

  /// The policy under which questions are answered from now on.
  void use_policy(core::Policy policy);

  /// timeline (of a person, newest first; of a journey or an agency, oldest first), dead_letters,
  /// subscriptions, status, as_of (newest first), trail (oldest first), report (its figures in order),
  /// policy_diff. A page that has more says in next_after what the next question's `after` is. Errors become
  /// the page's error and text.
  wire::PageT answer(const core::Ask& ask) const;
  /// as_of, trail, report and policy_diff are looked for in parts; nullptr for what is answered at once. The
  /// history outlives it.
  std::unique_ptr<PastSearch> search(const core::Ask& ask) const;
  /// The page of a search that has come to its end, or to an error.
  static wire::PageT page_of(PastSearch& search, const Result<bool>& done, const core::Ask& ask);

  /// The next part of a replay from sequence `from`: at most a Deliver frame's worth, and `deliveries_max`.
  /// `last` when it is over; `next` is where to go on. Its counts are this part's. A preview counts by
  /// subscriber and type as well: for the one that it goes into, or for each that the asker may know of and,
  /// without a name, the asker.
  using ReplayPart = care::ReplayPart;
  /// What `ahead` holds is not read again.
  ReplayPart replay(const core::AskReplay& ask, Sequence from,
                    std::size_t deliveries_max = limits::kDeliverItemsMax,
                    const ReadAhead* ahead = nullptr) const;
  /// Reads and opens what a replay will come to; on whatever thread.
  ReadAhead read_ahead(Sequence from) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::care
