#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/care/linked_records.hpp"
#include "broker/care/past_reader.hpp"
#include "broker/care/past_search.hpp"
#include "broker/care/record_chains.hpp"

namespace carehub::care {

/// The audit trail, oldest first: who asked, exported, replayed or changed what, from the Access,
/// OperatorAction, SubscriptionChanged, PolicyChanged, ConfigChanged, Erasure and Report entries. Of a
/// person, by whichever of their records: questions about them, what was done about one of their events, and
/// their erasure; and, as rows of the kind `may_have_shown`, the timelines and replays of many that may have
/// shown one of their events. A question about another record counts that was answered while a link held it
/// to be the same child, though the link was taken back since.
class Trail final : public PastSearch {
 public:
  /// `past` outlives it.
  Trail(const PastReader& past, wire::QueryT query);

  Result<bool> advance() override;
  /// With which records are this child's, too, and where one's events end.
  wire::PageT take() override;

 private:
  /// One of the person's events, as far as a question of many tells them apart.
  struct Event {
    Sequence sequence = 0;
    std::string agency;
    std::string journey;  // its hash
  };
  static constexpr std::size_t kEventsMax = 65'536;  // of one person; with more, none is told apart

  Result<void> begin();
  Result<void> walk();
  /// In how far an entry is about the person.
  struct About {
    bool is = false;
    bool linked_then = false;  // to a record that is no more one of theirs
    std::size_t record = 0;    // of several
  };
  Result<About> wanted(const ledger::Body& body, Sequence entry);
  bool may_have_shown(const ledger::Access& access, Sequence entry) const;
  Result<About> about_person(const ledger::Key* key, std::uint64_t event, Sequence asked_in);

  const PastReader& past_;
  wire::QueryT query_;
  std::size_t rows_max_;
  enum class Phase : std::uint8_t { begins, walks, scans } phase_ = Phase::begins;
  std::vector<Event> events_;  // the person's, newest first
  bool all_events_ = true;     // else others of theirs are not known
  std::optional<LinkedRecords> records_;
  RecordChains chains_;
  std::vector<PersonKey> unknown_;  // what is written where the hub knows nobody by one of their identifiers
  Sequence next_ = 0;
  std::size_t bytes_ = 0;
  wire::PageT page_;
};

}  // namespace carehub::care
