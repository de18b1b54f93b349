#pragma once

#include <map>
#include <optional>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/core/course.hpp"
#include "broker/core/known_child.hpp"
#include "broker/core/rules.hpp"
#include "broker/storage/entry.hpp"

/// The state that decisions need, and where decisions are written. `care` implements both over the same
/// folds, so an entry that was appended is visible to the next read, before it is synced.
namespace carehub::core {

struct KnownPublication {
  Sequence same = 0;      // the entry with this fingerprint; 0: none
  Timestamp appended_at;  // of `same`
  bool identity_seen = false;
};

struct PersonRecord {
  KeyId key_id;           // seals this person's entries
  Sequence last = 0;      // this person's newest event entry
  bool admitted = false;  // an admission without its discharge
};

/// An Offered that is neither acked nor dead-lettered.
struct Pending {
  Sequence sequence = 0;  // of the event
  PersonKey person;
  std::uint32_t attempt = 1;         // of the newest Offered
  std::uint32_t counted = 0;         // failures that count towards a dead letter
  std::uint64_t policy_version = 0;  // that decided
  Sequence known = 0;                // as Offered has it
  event::Urgency urgency = event::Urgency::unknown;
  event::EventType type = event::EventType::unknown;
  Timestamp offered_at;  // first
  bool late = false;
  bool after_gap = false;
  bool nacked = false;  // the newest attempt was answered no: the next needs an Offered of its own
};

/// A ledger::Body as it was appended; no bytes where the entry has been erased.
struct StoredBody {
  Bytes bytes;
  Timestamp appended_at;
  KeyId key_id = {};
};

/// What has become of a replay into a subscription so far.
struct ReplayCounts {
  std::uint64_t offered = 0;
  std::uint64_t taken = 0;  // acked
  std::uint64_t withheld = 0;
  std::uint64_t skipped = 0;
  std::uint64_t dead_letters = 0;  // that nobody has handled
  std::uint64_t pending = 0;
};

class StateReader {
 public:
  virtual ~StateReader() = default;
  /// The newest entry, durable or not.
  virtual Sequence head() const = 0;
  /// An `identity` of zeros: what came before under none, a refusal.
  virtual Result<KnownPublication> publication(const Fingerprint& fingerprint,
                                               const KeyedHash& identity) const = 0;
  /// The person that each identifier is linked to, in the same order.
  virtual Result<std::vector<std::optional<PersonKey>>> linked(
      const std::vector<KeyedHash>& identifiers) const = 0;
  /// The entries of links and merges that name it, the oldest first.
  virtual Result<std::vector<Sequence>> links_naming(const KeyedHash& identifier,
                                                     std::size_t rows_max) const = 0;
  virtual Result<std::optional<PersonRecord>> person(const PersonKey& key) const = 0;
  /// What was said of the child, oldest entry first.
  virtual Result<std::vector<ChildFact>> child_facts(const PersonKey& key) const = 0;
  /// Pending of a subscription with sequence > `after`, in sequence order.
  virtual Result<std::vector<Pending>> pending(const std::string& subscription, Sequence after,
                                               std::size_t rows_max) const = 0;
  /// Pending of one person in a subscription with sequence > `after`, in sequence order.
  virtual Result<std::vector<Pending>> pending_of(const std::string& subscription, const PersonKey& person,
                                                  Sequence after, std::size_t rows_max) const = 0;
  /// A delivery that was given up and neither sent again nor discarded.
  virtual Result<std::optional<Pending>> dead_letter(const std::string& subscription,
                                                     Sequence sequence) const = 0;
  /// The key that seals a purpose's entries of one UTC day (days since 1970-01-01), where one was used
  /// already.
  virtual Result<std::optional<KeyId>> day_key(const std::string& purpose, std::int64_t day) const = 0;
  /// The body (ledger::Body) of an entry, durable or not. `corrupt`: it does not open, or the
  /// vault never held its key.
  virtual Result<StoredBody> body(Sequence sequence) const = 0;
  /// Whether an event was ever offered to a subscription.
  virtual Result<bool> was_offered(const std::string& subscription, Sequence sequence) const = 0;
  /// Whether some child's next delivery of this subscription comes after a dead letter.
  virtual Result<bool> has_gaps(const std::string& subscription) const = 0;
  /// Of a replay that has not ended, by its own name.
  virtual Result<ReplayCounts> replay_counts(const std::string& replay) const = 0;
};

/// Folded state that the engine loads once, at start.
struct EngineState {
  struct KnownPolicy {
    std::uint64_t version;
    std::string text;
  };
  std::vector<KnownPolicy> policies;  // in version order; the last is current
  std::string agencies;               // the agencies_text() that was recorded last; empty: none was
  std::vector<Subscription> subscriptions;
  /// A subscription that was removed: what it left behind was decided for this agency in this role alone.
  struct FormerSubscription {
    std::string name;
    std::string agency;
    std::string role;
  };
  std::vector<FormerSubscription> former;
  std::map<std::string, Course> courses;  // of those that are paused or not at the end, former ones too
  std::vector<KeyedHash> linked_names;    // identifiers that a link or merge names, each once
  Sequence head = 0;                      // the newest entry
  Timestamp appended_at;                  // of the newest entry: time never goes back behind it
};

/// An entry that was decided: a finished ledger::Body and what goes in clear.
struct NewEntry {
  storage::EntryKind kind;
  KeyId key_id;
  Bytes body;
};

class Journal {
 public:
  virtual ~Journal() = default;
  /// Takes the entry into the batch under way and folds it; its sequence. It is durable when the batch is
  /// synced.
  virtual Sequence append(NewEntry entry, Timestamp at) = 0;
};

}  // namespace carehub::core
