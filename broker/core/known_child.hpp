#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/core/restrictions.hpp"
#include "broker/core/rules.hpp"

/// What the ledger says of a child that decides who may see the child's events, beyond the event itself: who
/// looks after the child and from when, consent, marks of protection, and who broke the glass.
namespace carehub::core {

/// Why an agency may see a child's events at all.
enum class Relationship : std::uint8_t {
  pupil,       // the child is on roll at a school that is one of the agency's codes
  patient,     // registered with a practice that is, or in a unit whose site is
  resident,    // the home authority is
  referral,    // a referral from or to the agency is open
  key_worker,  // the child's key worker works for it
};

enum class ChildFactKind : std::uint8_t {
  school = 1,
  gp_practice,
  home_authority,
  key_worker,
  referral,
  referral_closed,
  consent,
  marks,         // set
  marks_lifted,  // by an operator
  broken_glass,
  linked,    // another record is the same child's
  unlinked,  // and is no more
};

/// OperatorAction's words for marks that were set or lifted and for records that are one child's or no more,
/// and an Access's for a broken glass.
constexpr const char* kMarkAction = "mark child";
constexpr const char* kLiftAction = "lift marks of child";
constexpr const char* kLinkAction = "link records of child";
constexpr const char* kUnlinkAction = "unlink records of child";
constexpr const char* kBreakGlassVerb = "break glass";

/// One thing that an entry said. Facts are only ever added: a later one outdoes an earlier one.
struct ChildFact {
  ChildFactKind kind{};
  Sequence entry = 0;  // that said it
  Timestamp at;        // when that one was appended
  std::string agency;  // that said it; of broken_glass: that may look; of a referral: its sender
  /// Organisations by official code: the school, practice, authority or employer; the referral's recipient
  /// and referrer; those that a consent is for.
  std::vector<std::string> codes;
  /// Of a referral its numbers and journey, of consent its scope (none: all), of broken_glass the role, of a
  /// link the other record, the bytes of its key.
  std::vector<std::string> names;
  std::int64_t from_us = 0;
  std::int64_t until_us = 0;  // it ends then; 0: open
  bool given = false;         // consent: given; else refused or withdrawn
  bool by_young_person = false;
  /// consent: it names organisations, of which `codes` has those with a code; referral_closed: for the agency
  /// that said so alone, as it sent the referral on.
  bool for_some = false;
  RestrictionSet marks = 0;

  bool operator==(const ChildFact&) const = default;
};

/// All facts of one child that were known when something was decided, oldest entry first.
struct KnownChild {
  Sequence event = 0;  // the event that is decided about: a referral that it closes is still open for it
  std::vector<ChildFact> facts;
  /// Consent and marks of each other record that is the same child's. They protect the child here, too, and
  /// open nothing: who may link records may not see more by it.
  std::vector<std::vector<ChildFact>> linked = {};
};

/// More are not kept of one child: the oldest goes that is neither consent, mark nor link, else the oldest
/// consent, else of the links one that a newer word outdoes or that was taken back.
constexpr std::size_t kChildFactsMax = 512;
constexpr std::size_t kChildFactTextsMax = 16;  // codes or names of one

/// Bits of marks that are set and not lifted.
RestrictionSet marks_known(const std::vector<ChildFact>& facts);

/// The newest word on whether the records are one child's; nullptr: none.
const ChildFact* link_known(const std::vector<ChildFact>& facts, const PersonKey& other);
/// More of one child are not looked at.
constexpr std::size_t kLinkedRecordsMax = 64;
/// Adds what is known of the records that links join to the child's, one by another.
Result<void> add_linked(KnownChild& known, const PersonKey& person, Sequence through,
                        const std::function<Result<std::vector<ChildFact>>(const PersonKey&)>& facts_of);

/// What the event says that `known` has not. `appended_at` is its entry's.
std::vector<ChildFact> facts_said(const event::Event& event, Sequence entry, Timestamp appended_at,
                                  const std::vector<ChildFact>& known);
void add_fact(std::vector<ChildFact>& facts, ChildFact fact);

/// All that there is by now.
constexpr Sequence kAllKnown = std::numeric_limits<Sequence>::max();
/// What was known when an event was decided about: what entries up to `through` said, and up to the event's
/// own. So it stays the same however much later it is asked.
KnownChild known_through(std::vector<ChildFact> facts, Sequence event, Sequence through);
/// The same with what the event itself says, where the ledger's fold did not take it: an event that was
/// mended for one receiver, or one that is only tried.
KnownChild with_own(KnownChild known, const event::Event& event, Timestamp at);

/// The marks that the event or the child bears, in whichever record.
RestrictionSet marks_of(const event::Event& event, const KnownChild& known);

bool is_related(Relationship relationship, const Agency& agency, const event::Event& event,
                const KnownChild& known, Timestamp at);

/// Whether an agency's role has been let in past its relationships, at that time.
bool has_broken_glass(const std::string& role, const Agency& agency, const KnownChild& known, Timestamp at);

enum class ConsentState : std::uint8_t { none, given, refused };
/// What consent says on sharing with the agency for one of the scopes (empty: for anything). The newest word
/// on each scope counts, and one refusal outweighs what was given on another. `young_person_decides`: where
/// the young person said something, nobody else's word counts. A refusal in a linked record is one here.
ConsentState consent_of(const std::vector<std::string>& scopes, bool young_person_decides,
                        const Agency& agency, const KnownChild& known, Timestamp at);

}  // namespace carehub::core
