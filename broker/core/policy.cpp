#include "broker/core/policy.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "broker/base/limits.hpp"
#include "broker/core/narrower.hpp"
#include "broker/core/policy_text.hpp"
#include "broker/core/route.hpp"

namespace carehub::core {
namespace {

using event::EventType;

constexpr std::string_view kEverything = "*";
constexpr int kTierMax = 4;
constexpr int kAgeYearsMax = 150;

template <class T>
struct Word {
  std::string_view name;
  T value;
};

constexpr std::array kRelationships{Word<Relationship>{"any", Relationship::any},
                                    Word<Relationship>{"pupil", Relationship::pupil},
                                    Word<Relationship>{"patient", Relationship::patient},
                                    Word<Relationship>{"resident", Relationship::resident}};

constexpr std::array kCoarsenings{Word<Coarsening>{"to_date", Coarsening::to_date},
                                  Word<Coarsening>{"to_month", Coarsening::to_month},
                                  Word<Coarsening>{"to_year", Coarsening::to_year},
                                  Word<Coarsening>{"to_district", Coarsening::to_district},
                                  Word<Coarsening>{"replaced", Coarsening::replaced}};

constexpr std::array kRestrictions{
    Word<event::Restriction>{"sensitive_address", event::Restriction::sensitive_address},
    Word<event::Restriction>{"adopted", event::Restriction::adopted},
    Word<event::Restriction>{"witness_protection", event::Restriction::witness_protection},
    Word<event::Restriction>{"sealed_record", event::Restriction::sealed_record},
    Word<event::Restriction>{"other", event::Restriction::other}};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// "Did you mean `admission`?", or all that there is.
std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const auto nearest = nearest_word(word, known);
  if (!nearest.empty()) return "Did you mean `" + nearest + "`?";
  return "Known: " + joined(known) + ".";
}

template <class T, std::size_t N>
std::optional<T> look_up(const std::array<Word<T>, N>& words, std::string_view name) {
  const auto found = std::ranges::find(words, name, &Word<T>::name);
  if (found == words.end()) return std::nullopt;
  return found->value;
}

template <class T, std::size_t N>
std::vector<std::string> names_of(const std::array<Word<T>, N>& words) {
  std::vector<std::string> names(N);
  std::ranges::transform(words, names.begin(), [](const Word<T>& word) { return std::string(word.name); });
  return names;
}

std::vector<EventType> all_types() {
  std::vector<EventType> types;
  for (const auto type : event::EnumValuesEventType()) {
    if (type != EventType::unknown) types.push_back(type);
  }
  return types;
}

std::vector<std::string> all_type_names() {
  const auto types = all_types();
  std::vector<std::string> names(types.size());
  std::ranges::transform(types, names.begin(), event_type_name);
  return names;
}

/// The fields of an event itself: together they cover everything.
std::vector<std::string> top_level_names() {
  std::vector<std::string> names;
  for (const auto& leaf : event_field_names()) {
    const auto name = leaf.substr(0, leaf.find_first_of(".["));
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

/// Reads one rule, and knows whether it found a fault in it.
class RuleReader {
 public:
  RuleReader(ConfigTable table, const std::vector<std::string>& agreements)
      : table_(table), agreements_(agreements) {}

  std::optional<DisclosureRule> read() {
    rule_.name = bounded_text("name");
    rule_.role = bounded_text("role");
    rule_.legal_basis = table_.text("legal_basis");
    good_ = good_ && table_.has("legal_basis");
    if (table_.has("legal_basis") && rule_.legal_basis.empty()) {
      fault(
          "legal_basis", "legal_basis is empty.",
          "Name the law that the disclosure relies on, such as \"UK GDPR 6(1)(e); Children Act 2004 s.10\".");
    }
    read_types();
    for (const auto tier : table_.integers("tiers", 1, kTierMax)) {
      rule_.tiers.push_back(static_cast<std::uint8_t>(tier));
    }
    if (table_.has("tiers") && rule_.tiers.empty()) {
      fault("tiers", "tiers names no tier.", "Name tiers from 1 to 4, or leave the key out for any.");
    }
    std::ranges::sort(rule_.tiers);
    read_ages();
    read_relationship();
    read_agreement();
    read_restricted();
    read_show();
    for (auto& coarsened : table_.tables("coarsen")) read_coarsened(coarsened);
    if (good_ && rule_.show.empty() && rule_.coarsen.empty()) {
      fault({}, "the rule shows nothing.",
            "Add fields to `show` or `coarsen`, or remove the rule: what no rule shows is withheld.");
    }
    if (!good_) return std::nullopt;
    return std::move(rule_);
  }

 private:
  void fault(std::string_view key, std::string text, std::string remedy) {
    table_.fault(key, std::move(text), std::move(remedy));
    good_ = false;
  }

  std::string bounded_text(std::string_view key) {
    auto text = table_.text(key);
    good_ = good_ && table_.has(key);
    if (table_.has(key) && (text.empty() || text.size() > limits::kNameBytesMax)) {
      fault(key, std::string(key) + " is empty or too long.",
            "Give it 1 to " + std::to_string(limits::kNameBytesMax) + " bytes.");
    }
    return text;
  }

  void read_types() {
    const auto names = table_.texts("types");
    for (const auto& name : names) {
      if (name == kEverything) {
        rule_.types = all_types();
        continue;
      }
      const auto type = event_type_from(name);
      if (type == EventType::unknown) {
        fault("types", "unknown event type `" + name + "`.", suggestion(name, all_type_names()));
      } else if (std::ranges::find(rule_.types, type) == rule_.types.end()) {
        rule_.types.push_back(type);
      }
    }
    std::ranges::sort(rule_.types);
    if (names.empty()) {
      fault("types", "the rule names no event type.", "Add types = [\"admission\"], or [\"*\"] for all.");
    }
  }

  /// As birthdays, like the ages of a filter.
  void read_ages() {
    const auto age_min = table_.optional_integer("age_min", 0, kAgeYearsMax);
    const auto age_max = table_.optional_integer("age_max", 1, kAgeYearsMax);
    good_ = good_ && age_min.has_value() == table_.has("age_min");
    good_ = good_ && age_max.has_value() == table_.has("age_max");
    if (age_min && age_max && *age_min >= *age_max) {
      fault("age_max", "age_max is not above age_min, so nobody is meant.",
            "age_max is the birthday at which it ends: age_min = 11, age_max = 18 is 11 to 17 years.");
    }
    if (age_min) rule_.age_min_years = static_cast<std::uint8_t>(*age_min);
    if (age_max) rule_.age_max_years = static_cast<std::uint8_t>(*age_max - 1);
  }

  void read_agreement() {
    const auto name = table_.optional_text("agreement");
    good_ = good_ && name.has_value() == table_.has("agreement");
    if (!name) return;
    rule_.agreement = *name;
    if (std::ranges::find(agreements_, *name) != agreements_.end()) return;
    fault("agreement", "no [[agreement]] has the name `" + *name + "`.",
          agreements_.empty() ? "Add it, with parties and dates." : suggestion(*name, agreements_));
  }

  void read_relationship() {
    const auto name = table_.optional_text("relationship");
    if (!name) return;
    const auto relationship = look_up(kRelationships, *name);
    if (!relationship) {
      fault("relationship", "unknown relationship `" + *name + "`.",
            suggestion(*name, names_of(kRelationships)));
      return;
    }
    rule_.relationship = *relationship;
  }

  void read_restricted() {
    for (const auto& name : table_.texts("sees_restricted")) {
      const auto restriction = look_up(kRestrictions, name);
      if (!restriction && name != kEverything) {
        fault("sees_restricted", "unknown mark `" + name + "`.", suggestion(name, names_of(kRestrictions)));
      }
      for (const auto& each : kRestrictions) {
        if (name != kEverything && restriction != each.value) continue;
        rule_.sees_restricted = static_cast<RestrictionSet>(rule_.sees_restricted | bit_of(each.value));
      }
    }
  }

  void read_show() {
    for (const auto& text : table_.texts("show")) {
      if (text == kEverything) {
        for (const auto& name : top_level_names()) rule_.show.push_back(*FieldPath::parse(name));
        continue;
      }
      auto path = FieldPath::parse(text);
      if (!path) {
        fault("show", path.error().text, "The paths are those of schemas/event.fbs.");
      } else {
        rule_.show.push_back(std::move(*path));
      }
    }
  }

  void read_coarsened(ConfigTable& table) {
    const auto coarse_fault = [this, &table](std::string_view key, std::string text, std::string remedy) {
      table.fault(key, std::move(text), std::move(remedy));
      good_ = false;
    };
    const auto path_text = table.text("path");
    const auto how_text = table.text("how");
    const auto by = table.optional_text("by");
    if (!table.has("path") || !table.has("how")) {
      good_ = false;
      return;
    }
    auto path = FieldPath::parse(path_text);
    if (!path) return coarse_fault("path", path.error().text, "The paths are those of schemas/event.fbs.");
    const auto how = look_up(kCoarsenings, how_text);
    if (!how) {
      return coarse_fault("how", "unknown coarsening `" + how_text + "`.",
                          suggestion(how_text, names_of(kCoarsenings)));
    }
    if (auto misfit = misfit_of(*path, *how)) {
      return coarse_fault("how", "`" + how_text + "` does not fit `" + path->text() + "`.",
                          std::move(*misfit));
    }
    if (*how == Coarsening::replaced && (!by || by->empty() || by->size() > limits::kReplacementBytesMax)) {
      return coarse_fault(
          by ? "by" : "", "`replaced` needs the text that stands in the field's place.",
          "Add by = \"...\", with at most " + std::to_string(limits::kReplacementBytesMax) + " bytes.");
    }
    if (*how != Coarsening::replaced && by) {
      return coarse_fault("by", "`by` goes with how = \"replaced\" alone.", "Remove it.");
    }
    const auto same_path = [&path](const CoarsenedField& other) { return other.path.text() == path->text(); };
    if (std::ranges::any_of(rule_.coarsen, same_path)) {
      return coarse_fault("path", "`" + path->text() + "` is coarsened twice in this rule.", "Keep one.");
    }
    rule_.coarsen.push_back({std::move(*path), *how, by.value_or("")});
  }

  /// What to do about a coarsening that the field cannot take; nullopt when it can.
  static std::optional<std::string> misfit_of(const FieldPath& path, Coarsening how) {
    const auto kind = path.kind();
    switch (how) {
      case Coarsening::to_date:
        if (kind == FieldKind::time) return std::nullopt;
        return "It needs a time.";
      case Coarsening::to_month:
      case Coarsening::to_year:
        if (kind == FieldKind::time || kind == FieldKind::date) return std::nullopt;
        return "It needs a date or a time.";
      case Coarsening::to_district:
        if (path.text().ends_with(".postcode")) return std::nullopt;
        return "It needs a postcode.";
      case Coarsening::replaced:
        if (kind != FieldKind::text) return "It needs a text.";
        if (path.text() == "id" || path.text() == "source_agency")
          return "The envelope is shown or left out.";
        if (path.open_lists() > 0) {
          return "A fixed text has one place: say which element, such as person.names[0].family.";
        }
        return std::nullopt;
    }
    return "Use another.";
  }

  ConfigTable table_;
  const std::vector<std::string>& agreements_;
  DisclosureRule rule_;
  bool good_ = true;
};

bool same_condition(const DisclosureRule& left, const DisclosureRule& right) {
  return left.role == right.role && left.types == right.types && left.tiers == right.tiers &&
         left.age_min_years == right.age_min_years && left.age_max_years == right.age_max_years &&
         left.relationship == right.relationship && left.agreement == right.agreement &&
         left.sees_restricted == right.sees_restricted;
}

bool related(Relationship relationship, const Agency& agency, const event::Event& event) {
  const auto* person = event.person();
  switch (relationship) {
    case Relationship::any: return true;
    case Relationship::pupil: return person != nullptr && has_code(person->school(), agency.codes);
    case Relationship::resident: return person != nullptr && has_code(person->home_authority(), agency.codes);
    case Relationship::patient:
      if (person != nullptr && has_code(person->gp_practice(), agency.codes)) return true;
      return std::ranges::any_of(locations_of(event), [&agency](const event::Location* location) {
        return has_code(location->site(), agency.codes);
      });
  }
  return false;
}

/// The marks that the rule does not see.
RestrictionSet hiding(const event::Event& event, const DisclosureRule& rule) {
  return static_cast<RestrictionSet>(restrictions_of(event) & ~rule.sees_restricted);
}

/// All conditions but the agreement.
bool fits_event(const DisclosureRule& rule, const Agency& agency, const event::Event& event) {
  if (std::ranges::find(rule.types, event.type()) == rule.types.end()) return false;
  const auto tier = static_cast<std::uint8_t>(tier_of(event));
  if (!rule.tiers.empty() && std::ranges::find(rule.tiers, tier) == rule.tiers.end()) return false;
  if (withholds_all(hiding(event, rule)) || !fits_age(rule, event)) return false;
  return related(rule.relationship, agency, event);
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

/// Reads the tables of all files of a policy; names are one space.
class Policy::Reader {
 public:
  explicit Reader(Policy& policy) : policy_(policy) {}

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
      auto rule = RuleReader(table, agreement_names_).read();
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
                  Timestamp at) const {
  return fits_event(rule, agency, event) &&
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
                                       const event::Event& event, Timestamp at) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].role != role || !fits(rules_[i], agency, event, at)) continue;
    const auto fitting = [&](std::size_t narrow) { return fits(rules_[narrow], agency, event, at); };
    if (std::ranges::none_of(narrower_[i], fitting)) return &rules_[i];
  }
  return nullptr;
}

std::string Policy::why_withheld(const std::string& role, const Agency& agency, const event::Event& event,
                                 Timestamp at) const {
  for (const auto& rule : rules_) {
    if (rule.role != role || rule.agreement.empty() || !fits_event(rule, agency, event)) continue;
    const auto* under = agreement(rule.agreement);
    if (under != nullptr && joins(*under, agency, event)) return obstacle_text(*under, at);
  }
  return kNoRule;
}

bool Policy::has_role(const std::string& role) const {
  return std::ranges::any_of(rules_, [&role](const DisclosureRule& rule) { return rule.role == role; });
}

}  // namespace carehub::core
