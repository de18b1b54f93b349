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
  FieldJudge(const DisclosureRule& rule, const event::Event& event)
      : rule_(rule),
        marks_(static_cast<RestrictionSet>(restrictions_of(event) & ~rule.sees_restricted)),
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
    if (coarsened != nullptr && (!hidden || coarsened->how == Coarsening::replaced))
      return {text, Seen::coarsened, words_of(*coarsened)};
    if (coarsened == nullptr && shown == rule_.show.end())
      return {text, Seen::withheld, "the rule does not name it"};
    if (hidden) return {text, Seen::hidden, "a mark of a protected child that the rule does not see"};
    return {text, Seen::shown, "by `" + shown->text() + "`"};
  }

 private:
  /// Of the tables below the event, a view has the person's and the one that the type names.
  bool is_other_payload(std::string_view path) const {
    const auto top = path.substr(0, path.find_first_of(".["));
    return path.find('.') != std::string_view::npos && top != "person" && top != payload_;
  }

  const DisclosureRule& rule_;
  const RestrictionSet marks_;
  const std::string_view payload_;
  const event::Event& event_;
};

std::string relation_wanted(Relationship relationship) {
  switch (relationship) {
    case Relationship::any: break;
    case Relationship::pupil: return "the event's school is none of the agency's codes (pupil)";
    case Relationship::patient:
      return "neither the event's GP practice nor the unit's site is one of the agency's codes (patient)";
    case Relationship::resident: return "the event's home authority is none of the agency's codes (resident)";
  }
  return "another of its conditions does not hold";
}

std::string tiers_text(const std::vector<std::uint8_t>& tiers) {
  std::string text;
  for (const auto tier : tiers) text += (text.empty() ? "" : ", ") + std::to_string(tier);
  return text;
}

/// Which of the rule's conditions does not hold; empty: none of those that are the event's alone.
std::string misfit(const DisclosureRule& rule, const event::Event& event) {
  if (std::ranges::find(rule.types, event.type()) == rule.types.end()) return "it is for other event types";
  const auto tier = static_cast<std::uint8_t>(tier_of(event));
  if (!rule.tiers.empty() && std::ranges::find(rule.tiers, tier) == rule.tiers.end())
    return "it is for events of tier " + tiers_text(rule.tiers);
  if (withholds_all(static_cast<RestrictionSet>(restrictions_of(event) & ~rule.sees_restricted)))
    return "a mark of a protected child withholds the event whole, and the rule does not see such marks";
  if (!fits_age(rule, event)) return "it is for other ages, or the child's is not certain";
  return {};
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

std::vector<ExplainedField> explain_fields(const DisclosureRule& rule, const event::Event& event) {
  const FieldJudge judge(rule, event);
  std::vector<ExplainedField> fields;
  visit_fields(event,
               [&](const std::string& path, std::string_view) { fields.push_back(judge.judge(path)); });
  return fields;
}

Explanation explain(const Policy& policy, const std::string& role, const Agency& agency,
                    const event::Event& event, Timestamp at) {
  Explanation explanation;
  explanation.rule = policy.rule_for(role, agency, event, at);
  for (const auto& rule : policy.rules()) {
    if (rule.role != role) continue;
    if (&rule == explanation.rule) {
      explanation.rules.push_back({&rule, "it fits, and decides"});
      continue;
    }
    auto why = misfit(rule, event);
    if (why.empty()) why = policy.obstacle(rule, agency, event, at);
    if (policy.fits(rule, agency, event, at)) {
      why = is_narrower(*explanation.rule, rule) ? "it fits, and a narrower rule decides"
                                                 : "it fits, and an earlier rule decides";
    }
    if (why.empty()) why = relation_wanted(rule.relationship);
    explanation.rules.push_back({&rule, std::move(why)});
  }
  if (explanation.rule != nullptr) {
    explanation.fields = explain_fields(*explanation.rule, event);
    return explanation;
  }
  visit_fields(event, [&](const std::string& path, std::string_view) {
    explanation.fields.push_back({path, Seen::withheld, "no rule of the role fits the event"});
  });
  return explanation;
}

}  // namespace carehub::core
