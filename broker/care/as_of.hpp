#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/care/linked_records.hpp"
#include "broker/care/past_reader.hpp"
#include "broker/care/past_search.hpp"
#include "broker/care/record_chains.hpp"

namespace carehub::care {

/// What an agency, or each, had been offered of a person by a moment: the events of all records that are this
/// child, newest first, and for each, in the order in which it was decided, every offer and every withholding
/// by then, with the policy that decided and the view that it made. Read from the Offered, Acked, Withheld
/// and DeadLetter entries themselves, from the oldest event of the page to the moment: what came later, or
/// who was shown it again since, changes nothing. Each row's `state` is a Filing: the entries that say so.
class AsOf final : public PastSearch {
 public:
  /// `past` outlives it.
  AsOf(const PastReader& past, wire::QueryT query);

  Result<bool> advance() override;
  wire::PageT take() override;

  static constexpr std::size_t kEventsMax = 64;     // on one page
  static constexpr std::size_t kAnswersMax = 8192;  // offers and withholdings held for one page

 private:
  struct Event {
    Sequence sequence = 0;
    std::size_t record = 0;
  };
  struct Answer {
    std::string agency;
    std::string subscription;
    std::string role;
    std::uint64_t policy_version = 0;
    Sequence known = 0;       // as its Offered has it
    std::string legal_basis;  // of an offer
    std::string rule;         // of a withholding
    bool withheld = false;
    bool late = false;
    std::uint32_t attempts = 0;
    Sequence entry = 0;  // that says so
    Sequence acked_in = 0;
    Sequence given_up_in = 0;
    Timestamp at;
    Timestamp decided_at;  // of an offer: a further attempt is no new decision
    std::optional<Timestamp> acked_at;
  };
  using Answers = std::map<Sequence, std::vector<Answer>>;

  Result<void> begin();
  Result<bool> walk();
  Result<bool> scan();
  Result<void> read(const storage::SealedEntry& sealed);
  Result<void> offered(const ledger::Offered& entry, const storage::EntryHeader& header);
  void acked(const ledger::Acked& entry, const storage::EntryHeader& header);
  void given_up(const ledger::DeadLetter& entry, Sequence in);
  Result<void> withheld(const ledger::Withheld& entry, const storage::EntryHeader& header);
  Answer& add(Sequence event);
  bool narrow();
  void restart();
  /// The newest offer that one of the entries' ranges is of.
  template <class Visit>
  void each_offer(std::string_view subscription, Sequence first, Sequence last, Visit visit);
  bool of_every_agency() const;
  /// Whose what this subscription was shown is, where that counts; an old watch says no more than its role.
  Result<std::optional<std::string>> agency_of(std::string_view subscription, std::string_view role,
                                               Sequence entry);
  /// The agency as it was configured when this entry was written; as it is where that is not on record.
  Result<const core::Agency*> agency_then(const std::string& id, Sequence entry);
  Result<const core::Agency*> agency_in(const std::string& id, const core::EngineState::KnownPolicy& config);
  bool was_configured();

  Result<void> finish();
  Result<std::size_t> add_rows(const PastEvent& event, std::size_t record,
                               const std::vector<Answer>& answers);
  Result<std::string> show(const PastEvent& event, const Answer& answer, wire::RowT& row);
  Result<const core::Policy*> policy(std::uint64_t version);

  const PastReader& past_;
  wire::QueryT query_;
  enum class Phase : std::uint8_t { begins, walks, scans } phase_ = Phase::begins;
  Sequence next_ = 0;  // that is scanned
  std::optional<LinkedRecords> records_;
  RecordChains chains_;
  std::vector<Event> events_;                               // newest first
  std::map<std::string, std::string, std::less<>> owners_;  // agency, by subscription
  Answers answers_;
  std::size_t held_ = 0;
  std::map<std::uint64_t, core::Policy> policies_;
  std::vector<core::EngineState::KnownPolicy> configs_;  // the agencies on record, in order
  std::map<std::pair<std::uint64_t, std::string>, core::Agency> agencies_;  // as they were on record then
  wire::PageT page_;
};

}  // namespace carehub::care
