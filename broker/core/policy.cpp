#include "broker/core/policy.hpp"

#include <algorithm>
#include <iterator>

#include "broker/base/limits.hpp"
#include "broker/core/narrower.hpp"
#include "broker/core/policy_text.hpp"
#include "broker/core/route.hpp"
#include "broker/core/rule_reader.hpp"

namespace carehub::core {
namespace {

constexpr int kYoungPersonMax = 25;

bool same_condition(const DisclosureRule& left, const DisclosureRule& right) {
  return left.role == right.role && left.types == right.types && left.tiers == right.tiers &&
         left.age_min_years == right.age_min_years && left.age_max_years == right.age_max_years &&
         left.relationships == right.relationships && left.home_authorities == right.home_authorities &&
         left.consent == right.consent && left.consent_scopes == right.consent_scopes &&
         left.break_glass_minutes.has_value() == right.break_glass_minutes.has_value() &&
         left.agreement == right.agreement && left.sees_restricted == right.sees_restricted;
}

bool is_at_home_in(const DisclosureRule& rule, const event::Event& event, const KnownChild& known,
                   Timestamp at) {
  if (rule.home_authorities.empty()) return true;
  Agency authorities;
  authorities.codes = rule.home_authorities;
  return is_related(Relationship::resident, authorities, event, known, at);
}

/// All conditions but consent and the agreement.
bool fits_event(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                const KnownChild& known, Timestamp at) {
  if (std::ranges::find(rule.types, event.type()) == rule.types.end()) return false;
  const auto tier = static_cast<std::uint8_t>(tier_of(event));
  if (!rule.tiers.empty() && std::ranges::find(rule.tiers, tier) == rule.tiers.end()) return false;
  const auto hiding = static_cast<RestrictionSet>(marks_of(event, known) & ~rule.sees_restricted);
  if (withholds_all(hiding) || !fits_age(rule, event)) return false;
  if (!is_at_home_in(rule, event, known, at)) return false;
  if (rule.break_glass_minutes && !has_broken_glass(rule.role, agency, known, at)) return false;
  const auto holds = [&](Relationship one) { return is_related(one, agency, event, known, at); };
  return rule.relationships.empty() || std::ranges::any_of(rule.relationships, holds);
}

bool is_young_person(const DisclosureRule& rule, const event::Event& event) {
  if (!rule.young_person_from) return false;
  const auto age = age_years(event);
  return age && *age >= *rule.young_person_from;
}

ConsentState consent_to(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                        const KnownChild& known, Timestamp at) {
  return consent_of(rule.consent_scopes, is_young_person(rule, event), agency, known, at);
}

/// Between whom an event would pass.
bool joins(const Agreement& agreement, const Agency& agency, const event::Event& event) {
  return event.source_agency() != nullptr && agreement.has_party(agency.id) &&
         agreement.has_party(event.source_agency()->string_view());
}

}  // namespace

bool fits_age(const DisclosureRule& rule, const event::Event& event) {
  if (!rule.has_ages()) return true;
  const auto age = age_years(event);
  return age && *age >= rule.age_min_years.value_or(0) &&
         (!rule.age_max_years || *age <= *rule.age_max_years);
}

bool fits_consent(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                  const KnownChild& known, Timestamp at) {
  if (rule.consent == ConsentNeed::overridden) return true;
  const auto said = consent_to(rule, agency, event, known, at);
  return said == ConsentState::given ||
         (said == ConsentState::none && rule.consent == ConsentNeed::not_refused);
}

Addressee addressee_of(const DisclosureRule& rule, const event::Event& event) {
  const auto age = age_years(event);
  if (!age || !rule.young_person_from) return Addressee::nobody;
  return *age >= *rule.young_person_from ? Addressee::young_person : Addressee::parents;
}

bool hides_contact(Addressee addressee, std::string_view name) {
  return (name == "contacts" && addressee != Addressee::parents) ||
         (name == "telecoms" && addressee != Addressee::young_person);
}

/// Reads the tables of all files of a policy; names are one space.
class Policy::Reader {
 public:
  explicit Reader(Policy& policy) : policy_(policy) {}

  /// The one that the policy states, in whichever of its files.
  void read_young_person(ConfigDocument& document) {
    auto root = document.root();
    const auto years = root.optional_integer("young_person_from", 1, kYoungPersonMax);
    if (!years) return;
    if (young_person_from_ && *young_person_from_ != *years) {
      root.fault("young_person_from", "the policy's files do not agree on young_person_from.", "Keep one.");
      return;
    }
    young_person_from_ = static_cast<std::uint8_t>(*years);
  }

  void read_agreements(ConfigDocument& document) {
    for (auto& table : document.root().tables("agreement")) {
      auto agreement = read_agreement(table);
      const auto name = agreement ? agreement->name : table.optional_text("name").value_or("");
      if (!add_name(table, name, "agreement", agreement_places_)) continue;
      agreement_names_.push_back(name);
      if (agreement_names_.size() == kAgreementsMax + 1)
        table.fault({}, "a policy has at most 1000 agreements.", "Remove those that have lapsed for good.");
      if (agreement) policy_.agreements_.push_back(std::move(*agreement));
    }
  }

  void read_rules(ConfigDocument& document) {
    for (auto& table : document.root().tables("rule")) {
      auto rule = read_rule(table, agreement_names_, young_person_from_);
      if (!rule || !add_name(table, rule->name, "rule", rule_places_)) continue;
      const auto earlier = std::ranges::find_if(
          policy_.rules_, [&rule](const DisclosureRule& other) { return same_condition(*rule, other); });
      if (earlier != policy_.rules_.end()) {
        table.fault({}, "the rule `" + earlier->name + "` fits the same events, so this one never decides.",
                    "Merge them, or narrow one of them: the narrower decides, else the first.");
        continue;
      }
      policy_.rules_.push_back(std::move(*rule));
    }
  }

 private:
  using Places = std::vector<std::pair<std::string, std::string>>;

  static bool add_name(ConfigTable& table, const std::string& name, const std::string& what, Places& places) {
    const auto same = std::ranges::find(places, name, &Places::value_type::first);
    if (same == places.end()) {
      places.emplace_back(name, table.place("name"));
      return true;
    }
    table.fault("name", "the " + what + " at " + same->second + " has this name already.",
                "The record of what was shown names it: give each its own name.");
    return false;
  }

  Policy& policy_;
  std::optional<std::uint8_t> young_person_from_;
  std::vector<std::string> agreement_names_;  // of those with a fault too: a rule that names one has none
  Places agreement_places_;
  Places rule_places_;
};

Policy Policy::read(ConfigDocument& document, std::uint64_t version) {
  std::vector<ConfigDocument> documents;
  documents.push_back(std::move(document));
  auto policy = read(documents, version);
  document = std::move(documents.front());
  return policy;
}

Policy Policy::read(std::vector<ConfigDocument>& documents, std::uint64_t version) {
  Policy policy;
  policy.version_ = version;
  Reader reader(policy);
  for (auto& document : documents) reader.read_young_person(document);
  for (auto& document : documents) reader.read_agreements(document);
  for (auto& document : documents) reader.read_rules(document);
  for (auto& document : documents) document.report_unused();
  policy.order();
  return policy;
}

Policy Policy::parse(const std::string& text, const std::string& source, std::uint64_t version,
                     std::vector<ConfigFault>& faults) {
  std::vector<ConfigDocument> documents;
  bool parsed = true;
  for (auto& file : split_policy(text, source)) {
    documents.push_back(ConfigDocument::parse(file.text, std::move(file.name)));
    parsed = parsed && documents.back().faults().empty();
  }
  // What a file that does not parse would have named would be missed elsewhere.
  auto policy = parsed ? read(documents, version) : Policy();
  // What an older hub decided is told as it was decided.
  if (!text.starts_with(kPolicyFileMark)) policy.narrower_.assign(policy.rules_.size(), {});
  for (auto& document : documents) {
    auto& found = document.faults();
    std::ranges::move(found, std::back_inserter(faults));
  }
  return policy;
}

void Policy::order() {
  narrower_.assign(rules_.size(), {});
  for (std::size_t wide = 0; wide < rules_.size(); ++wide) {
    for (std::size_t narrow = 0; narrow < rules_.size(); ++narrow) {
      if (is_narrower(rules_[narrow], rules_[wide])) narrower_[wide].push_back(narrow);
    }
  }
}

const Agreement* Policy::agreement(std::string_view name) const {
  const auto found = std::ranges::find(agreements_, name, &Agreement::name);
  return found == agreements_.end() ? nullptr : &*found;
}

bool Policy::fits(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                  const KnownChild& known, Timestamp at) const {
  return fits_event(rule, agency, event, known, at) && fits_consent(rule, agency, event, known, at) &&
         (rule.agreement.empty() || obstacle(rule, agency, event, at).empty());
}

std::string Policy::obstacle(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                             Timestamp at) const {
  if (rule.agreement.empty()) return {};
  const auto* under = agreement(rule.agreement);
  if (under == nullptr || !joins(*under, agency, event))
    return "agreement " + rule.agreement + " is not between this agency and the event's source";
  return standing_of(*under, at) == Standing::in_force ? std::string() : obstacle_text(*under, at);
}

const DisclosureRule* Policy::rule_for(const std::string& role, const Agency& agency,
                                       const event::Event& event, const KnownChild& known,
                                       Timestamp at) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].role != role || !fits(rules_[i], agency, event, known, at)) continue;
    const auto fitting = [&](std::size_t narrow) { return fits(rules_[narrow], agency, event, known, at); };
    if (std::ranges::none_of(narrower_[i], fitting)) return &rules_[i];
  }
  return nullptr;
}

std::string Policy::why_withheld(const std::string& role, const Agency& agency, const event::Event& event,
                                 const KnownChild& known, Timestamp at) const {
  std::string why = kNoRule;
  for (const auto& rule : rules_) {
    if (rule.role != role || !fits_event(rule, agency, event, known, at)) continue;
    if (!rule.agreement.empty()) {
      const auto* under = agreement(rule.agreement);
      if (under == nullptr || !joins(*under, agency, event)) continue;
      if (standing_of(*under, at) != Standing::in_force) return obstacle_text(*under, at);
    }
    if (why != kNoRule || fits_consent(rule, agency, event, known, at)) continue;
    const bool refused = consent_to(rule, agency, event, known, at) == ConsentState::refused;
    why = refused ? kConsentRefused : kNoConsent;
  }
  return why;
}

std::uint16_t Policy::break_glass_minutes(const std::string& role) const {
  std::uint16_t minutes = 0;
  for (const auto& rule : rules_) {
    if (rule.role == role) minutes = std::max(minutes, rule.break_glass_minutes.value_or(0));
  }
  return minutes;
}

bool Policy::has_role(const std::string& role) const {
  return std::ranges::any_of(rules_, [&role](const DisclosureRule& rule) { return rule.role == role; });
}

}  // namespace carehub::core
