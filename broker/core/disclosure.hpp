#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>

#include "broker/core/policy.hpp"
#include "broker/core/state_reader.hpp"

/// Which rule decides what an agency's role may see of an event, under the policy that was in force when it
/// was offered, and the view that the rule makes.
namespace carehub::core {

/// What leaves for a role: the redacted event and what goes with it. Shared by every delivery that shows the
/// same.
struct View {
  Bytes event;
  std::string legal_basis;
  Timestamp appended_at;
  event::EventType type = event::EventType::unknown;
  std::vector<ledger::Mark> marks;
  std::shared_ptr<std::size_t> held;  // counts the bytes of all views that are held

  View() = default;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View();
};

/// An event as it stands in the ledger.
struct RecordedEvent {
  Sequence sequence = 0;
  Timestamp appended_at;
  PersonKey person;
  const event::Event* event = nullptr;  // the caller keeps the bytes
  std::vector<ledger::Mark> marks = {};
  std::string_view channel = {};          // the inbound channel that it came by; the caller keeps it
  std::vector<KeyedHash> new_names = {};  // the person's identifiers that nobody had before
};

/// What is known of the child when an event is decided about, by entries up to `through`. `mends`: the event
/// stands in for a dead letter; else 0.
Result<KnownChild> known_child(const StateReader& state, const PersonKey& person, const event::Event& event,
                               Sequence sequence, Sequence mends, Sequence through, Timestamp at);

/// Whether a view that could not be made is a matter of this delivery alone; else the hub stops.
bool nothing_to_show(const Error& error);

/// The event as redact() has it. `invalid`: larger than may be delivered.
Result<Bytes> deliverable(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                          const storage::SecretKey& pseudonyms, Sequence sequence);

class Disclosure {
 public:
  /// `pseudonyms`: under which values are pseudonymised; outlives it.
  Disclosure(std::vector<Agency> agencies, const storage::SecretKey& pseudonyms);

  /// The policy with the highest version is the current one.
  void add_policy(Policy policy);
  /// Error `invalid`: what is wrong with the text, with line and column.
  static Result<Policy> parse_policy(const std::string& text, const std::string& file, std::uint64_t version);

  const Policy& current() const;
  /// An agency that the configuration does not name is one without codes: an operator's, or one that has
  /// left.
  const Agency& agency(const std::string& id) const;

  /// No entry is stamped earlier than the newest one that is there.
  void begin_at(Timestamp newest) { newest_ = newest; }
  /// The time of a decision: that of the entry which will say so.
  Timestamp decided_at(Timestamp now) const { return std::max(now, newest_); }

  /// nullptr: withhold. `at`: when it was decided.
  const DisclosureRule* rule(std::uint64_t policy_version, const std::string& role, const std::string& agency,
                             const event::Event& event, const KnownChild& known, Timestamp at) const;

  /// `marks`: marks_of() the event. `invalid`: the view is too large to be delivered.
  Result<std::shared_ptr<const View>> view(const DisclosureRule& rule, const RecordedEvent& recorded,
                                           RestrictionSet marks) const;
  Result<Bytes> bytes(const DisclosureRule& rule, const event::Event& event, Sequence sequence,
                      RestrictionSet marks) const {
    return deliverable(event, rule, marks, pseudonyms_, sequence);
  }
  /// The view of an event that has to be read back, as was decided then. `not_found`: no rule shows it.
  /// `corrupt`: it does not open. `invalid`: its view is too large to be delivered.
  Result<std::shared_ptr<const View>> view(const StateReader& state, const Pending& decided,
                                           const std::string& role, const std::string& agency) const;

  /// Bytes of all views that somebody holds.
  std::size_t held_bytes() const { return *held_; }

 private:
  std::unordered_map<std::string, Agency> agencies_;
  const storage::SecretKey& pseudonyms_;
  std::map<std::uint64_t, Policy> policies_;
  Timestamp newest_;
  std::shared_ptr<std::size_t> held_ = std::make_shared<std::size_t>(0);
};

}  // namespace carehub::core
