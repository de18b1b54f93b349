#include "broker/core/explanation.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/core/narrower.hpp"
#include "broker/core/present_name.hpp"
#include "broker/core/route.hpp"

namespace carehub::core {
namespace {

/// The names that lead to a field: `person.names[0].family` is person, names, family.
std::vector<std::string_view> names_in(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const auto part = path.substr(0, path.find('.'));
    names.push_back(part.substr(0, part.find('[')));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return names;
}

/// Whether a mark takes the field away, or a table or list that it stands in.
bool is_hidden(RestrictionSet marks, const event::Event& event, const FieldPath& path) {
  const auto names = names_in(path.text());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (hides_field(marks, names[i])) return true;
    if (names[i] != "names" || !path.steps()[i].list || !hides_other_names(marks)) continue;
    const auto present = present_name(event);
    if (!present || path.steps()[i].index != static_cast<std::int32_t>(*present)) return true;
  }
  return false;
}

std::string words_of(const CoarsenedField& coarsened) {
  switch (coarsened.how) {
    case Coarsening::to_date: return "cut to its day";
    case Coarsening::to_month: return "cut to its month";
    case Coarsening::to_year: return "cut to its year";
    case Coarsening::to_district: return "cut to its postcode district; left out where it is no postcode";
    case Coarsening::pseudonymised: return "a pseudonym stands in its place";
    case Coarsening::replaced: return "a fixed text stands in its place";
  }
  return "coarsened";
}

/// The coarsest of what the rule says about the field.
const CoarsenedField* coarsening_of(const DisclosureRule& rule, const FieldPath& path) {
  const CoarsenedField* coarsest = nullptr;
  for (const auto& coarsened : rule.coarsen) {
    if (!coarsened.path.covers(path)) continue;
    if (coarsest == nullptr || coarsened.how > coarsest->how) coarsest = &coarsened;
  }
  return coarsest;
}

class FieldJudge {
 public:
  FieldJudge(const DisclosureRule& rule, const event::Event& event, RestrictionSet marks)
      : rule_(rule),
        marks_(static_cast<RestrictionSet>(marks & ~rule.sees_restricted)),
        payload_(event_type_name(event.type())),
        event_(event) {}

  ExplainedField judge(const std::string& text) const {
    const auto path = FieldPath::parse(text);
    CAREHUB_ASSERT(path, "a field of an event has a path");
    if (text == "id" || text == "type") return {text, Seen::shown, "every view has it"};
    if (is_other_payload(text))
      return {text, Seen::withheld, "it belongs to another type than the event says that it is"};
    const auto* coarsened = coarsening_of(rule_, *path);
    const bool hidden = marks_ != 0 && is_hidden(marks_, event_, *path);
    const auto covers = [&path](const FieldPath& shown) { return shown.covers(*path); };
    const auto shown = std::ranges::find_if(rule_.show, covers);
    const bool unaddressed = coarsened != nullptr && is_of_another_addressee(*path);
    if (coarsened != nullptr && ((!hidden && !unaddressed) || coarsened->how == Coarsening::replaced))
      return {text, Seen::coarsened, words_of(*coarsened), coarsened};
    if (coarsened == nullptr && shown == rule_.show.end())
      return {text, Seen::withheld, "the rule does not name it"};
    if (is_of_another_addressee(*path))
      return {text, Seen::hidden, "one does not write to them: addressee_only"};
    if (hidden) return {text, Seen::hidden, "a mark of a protected child that the rule does not see"};
    return {text, Seen::shown, "by `" + shown->text() + "`"};
  }

 private:
  /// Of the tables below the event, a view has the person's and the one that the type names.
  bool is_other_payload(std::string_view path) const {
    const auto top = path.substr(0, path.find_first_of(".["));
    return path.find('.') != std::string_view::npos && top != "person" && top != payload_;
  }

  bool is_of_another_addressee(const FieldPath& path) const {
    if (!rule_.addressee_only) return false;
    const auto names = names_in(path.text());
    return names.size() > 1 && names[0] == "person" && hides_contact(addressee_of(rule_, event_), names[1]);
  }

  const DisclosureRule& rule_;
  const RestrictionSet marks_;
  const std::string_view payload_;
  const event::Event& event_;
};

const char* relation_text(Relationship relationship) {
  switch (relationship) {
    case Relationship::pupil: return "the child's school is none of the agency's codes (pupil)";
    case Relationship::patient:
      return "neither the child's GP practice nor the unit's site is one of the agency's codes (patient)";
    case Relationship::resident: return "the child's home authority is none of the agency's codes (resident)";
    case Relationship::referral: return "no referral from or to the agency is open (referral)";
    case Relationship::key_worker: return "the child's key worker is not the agency's (key_worker)";
  }
  return "";
}

std::string relations_wanted(const DisclosureRule& rule) {
  std::string text;
  for (const auto one : rule.relationships)
    text += (text.empty() ? "" : "; ") + std::string(relation_text(one));
  return text.empty() ? "another of its conditions does not hold" : text;
}

std::string tiers_text(const std::vector<std::uint8_t>& tiers) {
  std::string text;
  for (const auto tier : tiers) text += (text.empty() ? "" : ", ") + std::to_string(tier);
  return text;
}

/// Which of the rule's conditions does not hold; empty: none of those that are the event's alone.
std::string misfit(const DisclosureRule& rule, const event::Event& event, RestrictionSet marks) {
  if (std::ranges::find(rule.types, event.type()) == rule.types.end()) return "it is for other event types";
  const auto tier = static_cast<std::uint8_t>(tier_of(event));
  if (!rule.tiers.empty() && std::ranges::find(rule.tiers, tier) == rule.tiers.end())
    return "it is for events of tier " + tiers_text(rule.tiers);
  if (withholds_all(static_cast<RestrictionSet>(marks & ~rule.sees_restricted)))
    return "a mark of a protected child withholds the event whole, and the rule does not see such marks";
  if (!fits_age(rule, event)) return "it is for other ages, or the child's is not certain";
  return {};
}

/// What the ledger would have to say of the child and does not.
std::string unmet(const DisclosureRule& rule, const Agency& agency, const event::Event& event,
                  const KnownChild& known, Timestamp at) {
  if (rule.break_glass_minutes && !has_broken_glass(rule.role, agency, known, at))
    return "it is for a child for whom the agency has broken the glass";
  Agency authorities;
  authorities.codes = rule.home_authorities;
  if (!authorities.codes.empty() && !is_related(Relationship::resident, authorities, event, known, at))
    return "it is for children of other home authorities, or the child's is not known";
  const auto holds = [&](Relationship one) { return is_related(one, agency, event, known, at); };
  if (!rule.relationships.empty() && std::ranges::none_of(rule.relationships, holds))
    return relations_wanted(rule);
  if (fits_consent(rule, agency, event, known, at)) return {};
  return rule.consent == ConsentNeed::given ? "consent to it is not on record, or is refused"
                                            : "consent is refused";
}

}  // namespace

const char* word_of(Seen seen) {
  switch (seen) {
    case Seen::shown: return "shown";
    case Seen::coarsened: return "coarsened";
    case Seen::hidden: return "hidden";
    case Seen::withheld: return "withheld";
  }
  return "withheld";
}

std::vector<ExplainedField> explain_fields(const DisclosureRule& rule, const event::Event& event,
                                           RestrictionSet marks) {
  const FieldJudge judge(rule, event, marks);
  std::vector<ExplainedField> fields;
  visit_fields(event,
               [&](const std::string& path, std::string_view) { fields.push_back(judge.judge(path)); });
  return fields;
}

Explanation explain(const Policy& policy, const std::string& role, const Agency& agency,
                    const event::Event& event, const KnownChild& known, Timestamp at) {
  Explanation explanation;
  const auto marks = marks_of(event, known);
  explanation.rule = policy.rule_for(role, agency, event, known, at);
  for (const auto& rule : policy.rules()) {
    if (rule.role != role) continue;
    if (&rule == explanation.rule) {
      explanation.rules.push_back({&rule, "it fits, and decides"});
      continue;
    }
    auto why = misfit(rule, event, marks);
    if (why.empty()) why = unmet(rule, agency, event, known, at);
    if (why.empty()) why = policy.obstacle(rule, agency, event, at);
    if (policy.fits(rule, agency, event, known, at)) {
      why = is_narrower(*explanation.rule, rule) ? "it fits, and a narrower rule decides"
                                                 : "it fits, and an earlier rule decides";
    }
    if (why.empty()) why = "another of its conditions does not hold";
    explanation.rules.push_back({&rule, std::move(why)});
  }
  if (explanation.rule != nullptr) {
    explanation.fields = explain_fields(*explanation.rule, event, marks);
    return explanation;
  }
  visit_fields(event, [&](const std::string& path, std::string_view) {
    explanation.fields.push_back({path, Seen::withheld, "no rule of the role fits the event"});
  });
  return explanation;
}

}  // namespace carehub::core
