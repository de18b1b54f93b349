#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/care/past_reader.hpp"
#include "broker/care/past_search.hpp"
#include "broker/core/view_change.hpp"

namespace carehub::care {

/// Who would see more or less of what under another policy, tried on the ledger's events since a time. For
/// each role of either policy and each agency that holds it (an operator, where none does), each event is
/// judged under both, by what is known of its child and with agreements as of the time of the asking, as an
/// explanation judges it. No row holds a value of an event. The page: a row `policy_diff` (events tried in
/// `pending`, erased ones in `dead_letters`, those that do not open in `attempts`), `role` and `party` rows
/// for those that only one policy has, a row `pairs` for those that would see `more` and one for `less`,
/// `change` rows (without a path: the event itself), and `cut` rows for what had no room.
class PolicyDiff final : public PastSearch {
 public:
  /// `past` outlives it. `query`: `old_policy` and `policy` are texts, empty for the one that decides when it
  /// begins; `first_at` is the first microsecond. `at`: when it was asked.
  PolicyDiff(const PastReader& past, wire::QueryT query, Timestamp at);

  /// Error `invalid`: what is wrong with a policy, with line and column; nothing has been looked at then.
  Result<bool> advance() override;
  wire::PageT take() override { return std::move(page_); }

  static constexpr std::size_t kLooksOfPart = 256;    // entries that are opened for one part
  static constexpr std::size_t kWorkOfPart = 65'536;  // rules tried, and fields at kWorkOfField each
  static constexpr std::size_t kWorkOfField = 16;
  static constexpr std::size_t kPairsMax = 1024;         // of role and agency
  static constexpr std::size_t kFieldChangesMax = 4000;  // rows
  static constexpr std::size_t kEventChangesMax = 1000;  // of the event itself; no field takes their room
  static constexpr std::size_t kNamesMax = 256;          // of roles or parties that one policy alone has

 private:
  struct Pair {
    std::string role;
    const core::Agency* agency = nullptr;
    bool more = false;
    bool less = false;
  };
  /// An event that is being tried, pair by pair.
  struct Tried {
    PastEvent past;
    core::KnownChild known;
    std::size_t next_pair = 0;
    /// By both rules: pairs with the same rules see the same.
    std::map<std::pair<const core::DisclosureRule*, const core::DisclosureRule*>, std::set<core::FieldChange>>
        changes = {};
  };
  /// What changes, for whom, by which rules: their places in their policy, or kNoRule.
  struct Change {
    std::size_t pair = 0;
    event::EventType type = event::EventType::unknown;
    core::FieldChange field;
    std::size_t rule_before = 0;
    std::size_t rule_after = 0;

    auto operator<=>(const Change&) const = default;
  };
  struct Count {
    std::uint64_t events = 0;
    Sequence first = 0;
  };

  Result<void> begin();
  void add_pairs();
  Result<void> take(const storage::SealedEntry& sealed);
  void try_pairs();
  void compare(Pair& pair, std::size_t place);
  void add_change(Change change);
  void end();
  wire::RowT& add_row(const char* kind);
  void add_only_in(const char* kind, const std::set<std::string>& old_names,
                   const std::set<std::string>& new_names);
  void add_changes();
  void add_cut(const char* what, std::uint64_t count);

  const PastReader& past_;
  wire::QueryT query_;
  const Timestamp at_;
  std::optional<core::Policy> old_;  // once it has begun; its own, whatever decides meanwhile
  std::optional<core::Policy> new_;
  std::vector<Pair> pairs_;
  std::uint64_t pairs_cut_ = 0;
  Sequence next_ = 0;
  Sequence through_ = 0;  // the ledger's end when it began
  std::optional<Tried> tried_;
  std::size_t work_ = 0;  // of this part
  std::map<Change, Count> changes_;
  std::size_t event_changes_ = 0;  // of them
  std::uint64_t events_cut_ = 0;
  std::uint64_t fields_cut_ = 0;
  std::uint64_t events_ = 0;
  std::uint64_t erased_ = 0;
  std::uint32_t unopened_ = 0;
  wire::PageT page_;
};

}  // namespace carehub::care
