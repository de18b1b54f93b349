#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/base/config_reader.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/core/agreement.hpp"
#include "broker/core/known_child.hpp"
#include "broker/core/restrictions.hpp"
#include "broker/core/rules.hpp"
#include "broker/storage/vault.hpp"

/// Disclosure: what a role may see of an event type, and under which legal basis. What no rule names is
/// Withheld.
namespace carehub::core {

enum class Coarsening : std::uint8_t {
  to_date,        // Time to its day
  to_month,       // Date or Time to its month
  to_year,        // Date or Time to its year
  to_district,    // postcode to its outward part; what is not a postcode is left out
  pseudonymised,  // a text that is the same for the same value within the role, and tells nothing of it
  replaced,       // by a fixed text that the policy gives
};

/// What a rule asks of consent, the least first.
enum class ConsentNeed : std::uint8_t {
  overridden,   // the law that it relies on asks for none, and dissent does not stop it
  not_refused,  // dissent stops it
  given,        // it discloses only while consent is on record
};

struct CoarsenedField {
  FieldPath path;
  Coarsening how;
  std::string replacement;  // for `replaced`
};

struct DisclosureRule {
  std::string name;
  std::string role;
  std::vector<event::EventType> types;
  std::vector<std::uint8_t> tiers;            // empty: any
  std::optional<std::uint8_t> age_min_years;  // completed years at the event, inclusive
  std::optional<std::uint8_t> age_max_years;
  std::vector<Relationship> relationships;    // one of them must hold; empty: its work covers every child
  std::vector<std::string> home_authorities;  // of the child, as the newest word on it; empty: any
  ConsentNeed consent = ConsentNeed::not_refused;
  std::vector<std::string> consent_scopes;           // that matter to it; empty: each does
  std::optional<std::uint16_t> break_glass_minutes;  // fits only for a child for whom the glass was broken
  /// The policy's: from these completed years on the young person is whom one writes to and whose word on
  /// consent counts.
  std::optional<std::uint8_t> young_person_from;
  bool addressee_only = false;  // of contacts and the child's own numbers, only those of whom one writes to
  std::string agreement;        // under which it discloses; empty: none is needed
  std::vector<FieldPath> show;  // a path shows all that lies below it
  std::vector<CoarsenedField> coarsen;
  RestrictionSet sees_restricted = 0;  // marks of a protected child that keep nothing from this rule
  std::string legal_basis;

  bool has_ages() const { return age_min_years || age_max_years; }
};

/// Whether the rule has no ages, or the child's age is certain and among them.
bool fits_age(const DisclosureRule& rule, const event::Event& event);
/// Whether what is known of consent lets the rule disclose.
bool fits_consent(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                  const KnownChild& known, Timestamp at);

/// To whom one writes about the child: `nobody` where the child's age is not certain.
enum class Addressee : std::uint8_t { nobody, parents, young_person };
Addressee addressee_of(const DisclosureRule& rule, const event::Event& event);
/// Whether this field of the person belongs to somebody to whom one does not write: `contacts` are parents
/// and carers, `telecoms` the child's own numbers.
bool hides_contact(Addressee addressee, std::string_view name);

/// Why nothing is shown, where neither an agreement nor consent stands in the way.
constexpr const char* kNoRule = "no rule";
constexpr const char* kConsentRefused = "consent is refused";
constexpr const char* kNoConsent = "no consent";

class Policy {
 public:
  /// Reads [[agreement]] and [[rule]] tables; every fault (an unknown event type, path, relationship or
  /// agreement, an agreement without dates, a coarsening that does not fit, a missing basis, an unknown key)
  /// goes into the document. A rule with a fault is left out: default deny.
  static Policy read(ConfigDocument& document, std::uint64_t version);
  /// The same of several files, which are one policy: an agreement serves the rules of all.
  static Policy read(std::vector<ConfigDocument>& documents, std::uint64_t version);
  /// Reads a text that split_policy() understands, and adds its faults, each with its own file.
  static Policy parse(const std::string& text, const std::string& source, std::uint64_t version,
                      std::vector<ConfigFault>& faults);

  /// The rule that decides, or nullptr: withhold. Of the rules of the role that fit the event those remain
  /// than which none that fits is narrower (narrower.hpp); the first of them decides. A rule does not fit
  /// where a mark of a protected child withholds the event whole and the rule does not see such marks; one
  /// with ages not where the child's is not known for certain; one with relationships only where the agency
  /// has one of them to the child; one with an agreement only where the agency and the event's source are
  /// parties to it and it is in force at the time of the decision; none where consent does not let it.
  const DisclosureRule* rule_for(const std::string& role, const Agency& agency, const event::Event& event,
                                 const KnownChild& known, Timestamp at) const;
  /// Where rule_for() gives none: the agreement or consent for want of which a rule does not fit; else
  /// kNoRule.
  std::string why_withheld(const std::string& role, const Agency& agency, const event::Event& event,
                           const KnownChild& known, Timestamp at) const;

  /// Whether one of its rules fits, whichever decides.
  bool fits(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
            const KnownChild& known, Timestamp at) const;
  /// Why the agreement of one of its rules lets nothing through; empty: it does, or the rule needs none.
  std::string obstacle(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                       Timestamp at) const;

  bool has_role(const std::string& role) const;
  std::uint64_t version() const { return version_; }
  const std::vector<DisclosureRule>& rules() const { return rules_; }
  const std::vector<Agreement>& agreements() const { return agreements_; }
  /// For how long the role may break the glass, at most; 0: it may not.
  std::uint16_t break_glass_minutes(const std::string& role) const;
  /// nullptr: none has this name.
  const Agreement* agreement(std::string_view name) const;

 private:
  class Reader;
  void order();

  std::uint64_t version_ = 0;
  std::vector<Agreement> agreements_;
  std::vector<DisclosureRule> rules_;
  std::vector<std::vector<std::size_t>> narrower_;  // of each rule: those that are narrower
};

/// The event with what the rule shows and nothing else: a new buffer, no byte of a withheld value in it.
/// Always present: id and type; source_agency, which the schema requires, as an empty text where it is not
/// shown. occurred_at and received_at only where the rule shows them. Of the payloads, only the one that
/// `type` names. A list holds only elements of which something is shown; where a field is shown and
/// coarsened, coarsened wins. `replaced` puts its text also where the event has none, so that its presence
/// says nothing. What a mark of a protected child hides (restrictions.hpp) is as though the event had none.
/// `marks`: the event's and the child's (marks_of). `pseudonyms`: under which values are pseudonymised.
Result<Bytes> redact(const event::Event& event, const DisclosureRule& rule, RestrictionSet marks,
                     const storage::SecretKey& pseudonyms);

}  // namespace carehub::core
