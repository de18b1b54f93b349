#include "tests/disclosure/policy_model.hpp"

#include <algorithm>
#include <limits>

#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/core/policy_text.hpp"
#include "broker/core/restrictions.hpp"

namespace carehub::disclosure {
namespace {

constexpr int kBeyondAge = 1'000;

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

template <class List>
std::string list_of(const List& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + quoted(text);
  return "[" + list + "]";
}

std::string text_of(const ModelRule& rule) {
  std::string text = "\n[[rule]]\nname = " + quoted(rule.name) + "\nrole = " + quoted(rule.role) + "\n";
  text += "types = " + (rule.types.empty() ? "[\"*\"]" : list_of(rule.types)) + "\n";
  if (!rule.tiers.empty()) {
    std::string tiers;
    for (const auto tier : rule.tiers) tiers += (tiers.empty() ? "" : ", ") + std::to_string(tier);
    text += "tiers = [" + tiers + "]\n";
  }
  if (rule.age_min) text += "age_min = " + std::to_string(*rule.age_min) + "\n";
  if (rule.age_max) text += "age_max = " + std::to_string(*rule.age_max) + "\n";
  if (!rule.relationships.empty()) text += "relationship = " + list_of(rule.relationships) + "\n";
  if (!rule.home_authorities.empty()) text += "home_authorities = " + list_of(rule.home_authorities) + "\n";
  if (rule.consent != "not_refused") text += "consent = " + quoted(rule.consent) + "\n";
  if (!rule.consent_scopes.empty()) text += "consent_scopes = " + list_of(rule.consent_scopes) + "\n";
  if (!rule.agreement.empty()) text += "agreement = " + quoted(rule.agreement) + "\n";
  if (!rule.sees_restricted.empty()) text += "sees_restricted = " + list_of(rule.sees_restricted) + "\n";
  if (rule.addressee_only) text += "addressee_only = true\n";
  if (rule.needs_broken_glass) text += "break_glass_minutes = 60\n";
  if (!rule.show.empty()) text += "show = " + list_of(rule.show) + "\n";
  std::string coarsen;
  for (const auto& each : rule.coarsen) {
    coarsen += (coarsen.empty() ? "" : ", ") + std::string("{ path = ") + quoted(each.path) +
               ", how = " + quoted(each.how) + (each.by.empty() ? "" : ", by = " + quoted(each.by)) + " }";
  }
  if (!coarsen.empty()) text += "coarsen = [" + coarsen + "]\n";
  return text + "legal_basis = \"Children Act 2004 s.10\"\n";
}

/// One name of a path, and which element of it; -1: each.
struct Step {
  std::string name;
  int index = -1;
};

std::vector<Step> steps_of(const std::string& path) {
  std::vector<Step> steps;
  for (std::size_t from = 0; from <= path.size();) {
    const auto dot = std::min(path.find('.', from), path.size());
    auto word = path.substr(from, dot - from);
    Step step;
    if (const auto bracket = word.find('['); bracket != std::string::npos) {
      if (word[bracket + 1] != ']') step.index = std::stoi(word.substr(bracket + 1));
      word.resize(bracket);
    }
    step.name = word;
    steps.push_back(step);
    from = dot + 1;
  }
  return steps;
}

bool covers(const std::string& pattern, const std::string& leaf) {
  if (pattern == "*") return true;
  const auto wide = steps_of(pattern);
  const auto narrow = steps_of(leaf);
  if (wide.size() > narrow.size()) return false;
  for (std::size_t at = 0; at < wide.size(); ++at) {
    if (wide[at].name != narrow[at].name) return false;
    if (wide[at].index != -1 && wide[at].index != narrow[at].index) return false;
  }
  return true;
}

/// A mark of one event is the child's.
std::set<std::string> marks_of(const MarkedEvent& event, const Said& said) {
  std::set<std::string> marks;
  const auto add = [&marks](const MarkedEvent& of) {
    for (const auto& [path, value] : of.values) {
      if (path.starts_with("restrictions[")) marks.insert(value);
    }
  };
  add(event);
  for (const auto* each : said) add(*each);
  return marks;
}

/// The marks that keep something from the rule.
std::set<std::string> unseen_marks(const ModelRule& rule, const MarkedEvent& event, const Said& said) {
  auto marks = marks_of(event, said);
  if (rule.sees_restricted.contains("*")) marks.clear();
  for (const auto& seen : rule.sees_restricted) marks.erase(seen);
  return marks;
}

bool keeps_all(const std::string& mark) {
  return mark == "witness_protection" || mark == "sealed_record" || mark == "other";
}

/// The marks that keep an event back whole and that the rule sees through.
std::set<std::string> opened(const ModelRule& rule) {
  std::set<std::string> marks;
  for (const auto* mark : {"witness_protection", "sealed_record", "other"}) {
    if (rule.sees_restricted.contains(mark) || rule.sees_restricted.contains("*")) marks.insert(mark);
  }
  return marks;
}

/// The first or the last day that a date cut to its year or month can mean, as text that sorts.
std::string filled(std::string date, bool first) {
  if (date.size() == 4) date += first ? "-01" : "-12";
  if (date.size() > 7) return date;
  static constexpr const char* kLast[] = {"31", "28", "31", "30", "31", "30",
                                          "31", "31", "30", "31", "30", "31"};
  if (first) return date + "-01";
  const auto month = std::stoi(date.substr(5, 2));
  const auto year = std::stoi(date.substr(0, 4));
  return date + "-" + (month == 2 && year % 4 == 0 ? "29" : kLast[month - 1]);
}

int years_between(const std::string& born, const std::string& on) {
  const int years = std::stoi(on.substr(0, 4)) - std::stoi(born.substr(0, 4));
  return on.substr(5) < born.substr(5) ? years - 1 : years;
}

/// Nothing where it is not known for certain.
std::optional<int> age_of(const MarkedEvent& event) {
  const auto born = event.at("person.birth_date");
  auto on = event.at("occurred_at").substr(0, 10);
  // What does not say when it happened did when it was received.
  if (const auto received = event.at("received_at"); on.empty() && !received.empty())
    on = to_rfc3339(Timestamp{std::stoll(received)}).substr(0, 10);
  if (born.empty() || on.empty()) return std::nullopt;
  const auto youngest = years_between(filled(born, false), on);
  const auto oldest = years_between(filled(born, true), on);
  if (youngest != oldest || oldest < 0) return std::nullopt;
  return oldest;
}

/// When an event happened; one that does not say so, when it came, which is later than all that do.
std::int64_t happened_us(const MarkedEvent& event, std::size_t place) {
  constexpr std::int64_t kCameUs = 4'000'000'000'000'000;
  const auto time = event.at("occurred_at");
  return time.empty() ? kCameUs + static_cast<std::int64_t>(place) : parse_time(time)->utc_us();
}

/// The official code that the newest word on it gives; who repeats their own word says nothing new.
std::string newest_code(const std::string& organisation, const Said& said) {
  struct Word {
    std::string source;
    std::string code;
    std::int64_t from_us = 0;
  };
  std::vector<Word> words;
  const auto newest = [&words](std::int64_t by_us, const std::string& source) {
    const Word* found = nullptr;
    for (const auto& word : words) {
      if (word.from_us > by_us || (!source.empty() && word.source != source)) continue;
      if (found == nullptr || word.from_us >= found->from_us) found = &word;
    }
    return found == nullptr ? std::string() : found->code;
  };
  for (std::size_t place = 0; place < said.size(); ++place) {
    const auto& event = *said[place];
    const auto code = event.at(organisation + ".code");
    const Word word{event.at("source_agency"), code, happened_us(event, place)};
    if (code.empty() || event.at(organisation + ".scheme") == "local") continue;
    if (newest(word.from_us, word.source) != code) words.push_back(word);
  }
  return newest(std::numeric_limits<std::int64_t>::max(), {});
}

bool is_code_of(const core::Agency& agency, const std::string& code) {
  return !code.empty() && std::ranges::find(agency.codes, code) != agency.codes.end();
}

bool is_related(const std::string& how, const core::Agency& agency, const MarkedEvent& event,
                const Said& said) {
  if (how == "pupil") return is_code_of(agency, newest_code("person.school", said));
  if (how == "resident") return is_code_of(agency, newest_code("person.home_authority", said));
  if (how != "patient") return false;  // no referral of theirs is open, and no worker has an employer
  const auto places = {"admission.location", "movement.from",       "movement.to",
                       "discharge.location", "correction.location", "death.location"};
  return is_code_of(agency, newest_code("person.gp_practice", said)) ||
         std::ranges::any_of(places, [&](const char* place) {
           const auto site = std::string(place) + ".site";
           return event.at(site + ".scheme") != "local" && is_code_of(agency, event.at(site + ".code"));
         });
}

/// Not for organisations alone, which here are nobody's. What is refused to one without an official code is
/// refused to all, since nobody knows to whom.
bool is_for_all(const MarkedEvent& event, bool given) {
  std::set<std::string> organisations;
  std::set<std::string> official;
  for (const auto& [path, value] : event.values) {
    if (!path.starts_with("consent.organisations[")) continue;
    const auto organisation = path.substr(0, path.find(']') + 1);
    organisations.insert(organisation);
    if (!event.at(organisation + ".code").empty() && event.at(organisation + ".scheme") != "local")
      official.insert(organisation);
  }
  return organisations.empty() || (!given && official.size() < organisations.size());
}

/// 1: given, -1: refused, 0: nobody said anything that is in force.
int consent_of(const ModelRule& rule, const MarkedEvent& of, const Said& said, const std::string& today) {
  const auto& scopes = rule.consent_scopes;
  std::vector<std::pair<std::int64_t, const MarkedEvent*>> words;
  for (std::size_t place = 0; place < said.size(); ++place) {
    const auto& event = *said[place];
    const auto until = event.at("consent.until_at");
    if (event.type != "consent" || event.at("consent.decision").empty() ||
        (!until.empty() && until.substr(0, 10) <= today))
      continue;
    const bool given = event.at("consent.decision") == "given";
    const auto scope = event.at("consent.scope.code");
    const bool matters = scopes.empty() || scope.empty() || scopes.contains(scope);
    if (!matters || !is_for_all(event, given)) continue;
    const auto from = event.at("consent.from_at");
    words.emplace_back(from.empty() ? happened_us(event, place) : parse_time(from)->utc_us(), &event);
  }
  const auto is_theirs = [](const auto& word) { return word.second->at("consent.by_young_person") == "yes"; };
  if (age_of(of).value_or(0) >= kYoungPersonFrom && std::ranges::any_of(words, is_theirs))
    std::erase_if(words, [&](const auto& word) { return !is_theirs(word); });
  std::ranges::stable_sort(words, {}, &std::pair<std::int64_t, const MarkedEvent*>::first);
  std::map<std::string, bool> newest;  // by scope
  for (const auto& [from, event] : words) {
    const auto scope = event->at("consent.scope.code");
    if (scope.empty()) newest.clear();
    newest[scope] = event->at("consent.decision") == "given";
  }
  if (newest.empty()) return 0;
  return std::ranges::all_of(newest, [](const auto& word) { return word.second; }) ? 1 : -1;
}

bool has_consent(const ModelRule& rule, const MarkedEvent& event, const Said& said,
                 const std::string& today) {
  if (rule.consent == "overridden") return true;
  const auto consent = consent_of(rule, event, said, today);
  return consent == 1 || (consent == 0 && rule.consent == "not_refused");
}

/// How much a rule asks of consent.
int needs(const ModelRule& rule) {
  return rule.consent == "overridden" ? 0 : rule.consent == "not_refused" ? 1 : 2;
}

template <class Set>
bool is_within(const Set& inner, const Set& outer) {
  if (outer.empty()) return true;
  return !inner.empty() && std::ranges::includes(outer, inner);
}

/// Who needs more is within who needs less; of two that need the same, who looks at more refusals or takes
/// fewer consents.
bool is_consent_within(const ModelRule& inner, const ModelRule& outer) {
  if (needs(inner) != needs(outer)) return needs(inner) > needs(outer);
  if (inner.consent == "given") return std::ranges::includes(outer.consent_scopes, inner.consent_scopes);
  return is_within(outer.consent_scopes, inner.consent_scopes);
}

bool is_within(const ModelRule& inner, const ModelRule& outer) {
  const auto ages = [](const ModelRule& rule) { return rule.age_min || rule.age_max; };
  const bool ages_within =
      !ages(outer) || (ages(inner) && inner.age_min.value_or(0) >= outer.age_min.value_or(0) &&
                       inner.age_max.value_or(kBeyondAge) <= outer.age_max.value_or(kBeyondAge));
  return inner.role == outer.role && is_within(inner.types, outer.types) &&
         is_within(inner.tiers, outer.tiers) && ages_within &&
         is_within(inner.relationships, outer.relationships) &&
         is_within(inner.home_authorities, outer.home_authorities) && is_consent_within(inner, outer) &&
         (inner.needs_broken_glass || !outer.needs_broken_glass) &&
         (outer.agreement.empty() || outer.agreement == inner.agreement) &&
         std::ranges::includes(opened(outer), opened(inner));
}

bool is_narrower(const ModelRule& one, const ModelRule& other) {
  return is_within(one, other) && !is_within(other, one);
}

/// The place in the list of the name that the child bears now; -1: none.
int present_name(const MarkedEvent& event) {
  for (int at = 0; at < 16; ++at) {
    const auto name = "person.names[" + std::to_string(at) + "]";
    const bool there = std::ranges::any_of(
        event.values, [&](const auto& each) { return each.first.starts_with(name + "."); });
    if (!there) return -1;
    const auto use = event.at(name + ".use");
    if (use.empty() || use == "official" || use == "usual") return at;
  }
  return -1;
}

bool is_hidden(const ModelRule& rule, const MarkedEvent& event, const std::string& leaf, const Said& said) {
  core::RestrictionSet marks = 0;
  for (const auto& mark : unseen_marks(rule, event, said)) {
    for (const auto each : event::EnumValuesRestriction()) {
      if (mark == event::EnumNameRestriction(each))
        marks = static_cast<core::RestrictionSet>(marks | core::bit_of(each));
    }
  }
  const auto steps = steps_of(leaf);
  if (rule.addressee_only && steps[0].name == "person") {
    const auto age = age_of(event);
    const bool is_young_person = age && *age >= kYoungPersonFrom;
    if (steps[1].name == "contacts" && (!age || is_young_person)) return true;
    if (steps[1].name == "telecoms" && !is_young_person) return true;
  }
  const bool adopted = unseen_marks(rule, event, said).contains("adopted");
  if (adopted && leaf.starts_with("person.names[") && steps[1].index != present_name(event)) return true;
  return std::ranges::any_of(steps,
                             [marks](const Step& step) { return core::hides_field(marks, step.name); });
}

std::string coarse(const std::string& value, const std::string& how) {
  if (how == "to_date") return value.substr(0, 10);
  if (how == "to_month") return value.substr(0, 7);
  if (how == "to_year") return value.substr(0, 4);
  return value.substr(0, value.find(' '));
}

const ModelCoarsening* coarsening_of(const ModelRule& rule, const std::string& leaf) {
  const auto found =
      std::ranges::find_if(rule.coarsen, [&](const auto& each) { return covers(each.path, leaf); });
  return found == rule.coarsen.end() ? nullptr : &*found;
}

}  // namespace

bool ModelRule::same_condition(const ModelRule& other) const {
  return role == other.role && types == other.types && tiers == other.tiers && age_min == other.age_min &&
         age_max == other.age_max && relationships == other.relationships &&
         home_authorities == other.home_authorities && consent == other.consent &&
         agreement == other.agreement && sees_restricted == other.sees_restricted;
}

std::string PolicyModel::text() const {
  std::string text = "young_person_from = " + std::to_string(kYoungPersonFrom) + "\n";
  for (const auto& each : agreements) {
    text += "\n[[agreement]]\nname = " + quoted(each.name) + "\nparties = " + list_of(each.parties) +
            "\nsignatories = [\"A Guardian\"]\npurposes = [\"care\"]\nsigned = " + each.from +
            "\nfrom = " + each.from + "\nuntil = " + each.until + "\n";
  }
  for (const auto& rule : rules) text += text_of(rule);
  return core::mark_policy(text);
}

bool PolicyModel::has_role(const std::string& role) const {
  return std::ranges::find(rules, role, &ModelRule::role) != rules.end();
}

bool PolicyModel::fits(const ModelRule& rule, const core::Agency& agency, const MarkedEvent& event,
                       const std::string& today, const Said& said, bool glass_is_broken) const {
  if (rule.needs_broken_glass && !glass_is_broken) return false;
  if (!rule.types.empty() && !rule.types.contains(event.type)) return false;
  const auto tier = event.at(event.type + ".tier");
  if (!rule.tiers.empty() && !rule.tiers.contains(tier.empty() ? 0 : std::stoi(tier))) return false;
  if (std::ranges::any_of(unseen_marks(rule, event, said), keeps_all)) return false;
  if (rule.age_min || rule.age_max) {
    const auto age = age_of(event);
    if (!age || *age < rule.age_min.value_or(0) || *age >= rule.age_max.value_or(kBeyondAge)) return false;
  }
  if (!rule.relationships.empty() && std::ranges::none_of(rule.relationships, [&](const std::string& how) {
        return is_related(how, agency, event, said);
      }))
    return false;
  if (!rule.home_authorities.empty() &&
      !rule.home_authorities.contains(newest_code("person.home_authority", said)))
    return false;
  if (!has_consent(rule, event, said, today)) return false;
  if (rule.agreement.empty()) return true;
  const auto under = std::ranges::find(agreements, rule.agreement, &ModelAgreement::name);
  const auto is_party = [&](const std::string& id) {
    return std::ranges::find(under->parties, id) != under->parties.end();
  };
  return is_party(agency.id) && is_party(event.at("source_agency")) && under->from <= today &&
         today <= under->until;
}

const ModelRule* PolicyModel::decides(const std::string& role, const core::Agency& agency,
                                      const MarkedEvent& event, const std::string& today, const Said& said,
                                      bool glass_is_broken) const {
  const auto counts = said.empty() ? Said{&event} : said;
  std::vector<const ModelRule*> fitting;
  for (const auto& rule : rules) {
    if (rule.role == role && fits(rule, agency, event, today, counts, glass_is_broken))
      fitting.push_back(&rule);
  }
  for (const auto* rule : fitting) {
    if (std::ranges::none_of(fitting, [&](const auto* other) { return is_narrower(*other, *rule); }))
      return rule;
  }
  return nullptr;
}

Fate fate_of(const ModelRule& rule, const MarkedEvent& event, const std::string& leaf, const Said& said) {
  if (leaf == "id" || leaf == "type") return Fate::shown;
  if (is_hidden(rule, event, leaf, said)) return Fate::withheld;
  if (coarsening_of(rule, leaf) != nullptr) return Fate::coarsened;
  const bool shown = std::ranges::any_of(rule.show, [&](const auto& path) { return covers(path, leaf); });
  return shown ? Fate::shown : Fate::withheld;
}

Values view_of(const ModelRule& rule, const MarkedEvent& event, const Said& said) {
  Values view{{"source_agency", ""}};
  for (const auto& [leaf, value] : event.values) {
    const auto fate = fate_of(rule, event, leaf, said);
    if (fate == Fate::shown) view[leaf] = value;
    if (fate == Fate::coarsened) view[leaf] = coarse(value, coarsening_of(rule, leaf)->how);
  }
  for (const auto& each : rule.coarsen) {
    const auto top = each.path.substr(0, each.path.find_first_of(".["));
    const bool of_another_type = event_type_from(top) != event::EventType::unknown && top != event.type;
    if (each.how == "replaced" && !of_another_type) view[each.path] = each.by;
  }
  return view;
}

}  // namespace carehub::disclosure
