#include "broker/core/rule_reader.hpp"

#include <algorithm>
#include <array>

#include "broker/base/limits.hpp"

namespace carehub::core {
namespace {

using event::EventType;

constexpr std::string_view kEverything = "*";
constexpr int kTierMax = 4;
constexpr int kAgeYearsMax = 150;
constexpr int kBreakGlassMinutesMax = 24 * 60;
constexpr std::size_t kTextsMax = 1'000;  // scopes of consent, or authorities

template <class T>
struct Word {
  std::string_view name;
  T value;
};

constexpr std::string_view kAnyRelationship = "any";
constexpr std::array kRelationships{Word<Relationship>{"pupil", Relationship::pupil},
                                    Word<Relationship>{"patient", Relationship::patient},
                                    Word<Relationship>{"resident", Relationship::resident},
                                    Word<Relationship>{"referral", Relationship::referral},
                                    Word<Relationship>{"key_worker", Relationship::key_worker}};

constexpr std::array kConsentNeeds{Word<ConsentNeed>{"overridden", ConsentNeed::overridden},
                                   Word<ConsentNeed>{"not_refused", ConsentNeed::not_refused},
                                   Word<ConsentNeed>{"given", ConsentNeed::given}};

constexpr std::array kCoarsenings{Word<Coarsening>{"to_date", Coarsening::to_date},
                                  Word<Coarsening>{"to_month", Coarsening::to_month},
                                  Word<Coarsening>{"to_year", Coarsening::to_year},
                                  Word<Coarsening>{"to_district", Coarsening::to_district},
                                  Word<Coarsening>{"pseudonymised", Coarsening::pseudonymised},
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
  RuleReader(ConfigTable table, const std::vector<std::string>& agreements,
             std::optional<std::uint8_t> young_person_from)
      : table_(table), agreements_(agreements) {
    rule_.young_person_from = young_person_from;
  }

  std::optional<DisclosureRule> read() {
    rule_.name = bounded_text("name");
    rule_.role = bounded_text("role");
    const bool has_basis = table_.has("legal_basis");
    rule_.legal_basis =
        has_basis ? table_.optional_text("legal_basis").value_or("") : table_.text("legal_basis");
    good_ = good_ && has_basis;
    if (has_basis && rule_.legal_basis.empty()) {
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
    read_relationships();
    rule_.home_authorities = codes("home_authorities");
    read_consent();
    read_break_glass();
    read_addressee();
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
    good_ = good_ && !text.empty();  // else a fault already
    if (text.size() > limits::kNameBytesMax)
      fault(key, std::string(key) + " is too long.",
            "Give it 1 to " + std::to_string(limits::kNameBytesMax) + " bytes.");
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

  /// One word, or several of which one must hold.
  void read_relationships() {
    if (!table_.has("relationship")) return;
    const auto names = table_.text_or_texts("relationship");
    if (names.size() == 1 && names.front() == kAnyRelationship) return;
    for (const auto& name : names) {
      const auto relationship = look_up(kRelationships, name);
      if (!relationship) {
        auto known = names_of(kRelationships);
        if (names.size() == 1) known.emplace_back(kAnyRelationship);
        fault("relationship", "unknown relationship `" + name + "`.", suggestion(name, known));
      } else if (std::ranges::find(rule_.relationships, *relationship) == rule_.relationships.end()) {
        rule_.relationships.push_back(*relationship);
      }
    }
    if (names.empty()) fault("relationship", "relationship names none.", "Leave the key out for any.");
    std::ranges::sort(rule_.relationships);
  }

  std::vector<std::string> codes(std::string_view key) {
    auto texts = table_.texts(key);
    if (table_.has(key) && texts.empty())
      fault(key, std::string(key) + " names none.", "Name at least one, or leave the key out for any.");
    if (texts.size() > kTextsMax || std::ranges::any_of(texts, &std::string::empty))
      fault(key, std::string(key) + " has an empty text or more than 1000.", "Name up to 1000 codes.");
    std::ranges::sort(texts);
    texts.erase(std::ranges::unique(texts).begin(), texts.end());
    return texts;
  }

  void read_consent() {
    rule_.consent_scopes = codes("consent_scopes");
    const auto name = table_.optional_text("consent");
    good_ = good_ && name.has_value() == table_.has("consent");
    if (!name) return;
    const auto need = look_up(kConsentNeeds, *name);
    if (!need) {
      return fault("consent", "unknown need of consent `" + *name + "`.",
                   suggestion(*name, names_of(kConsentNeeds)));
    }
    rule_.consent = *need;
    if (*need == ConsentNeed::given && rule_.consent_scopes.empty()) {
      fault("consent", "`given` needs to know consent to what.",
            "Add consent_scopes = [\"...\"], the codes of the consents that will do.");
    }
    if (*need == ConsentNeed::overridden && !rule_.consent_scopes.empty())
      fault("consent_scopes", "a rule that dissent does not stop looks at no scope.", "Remove it.");
  }

  void read_break_glass() {
    const auto minutes = table_.optional_integer("break_glass_minutes", 1, kBreakGlassMinutesMax);
    good_ = good_ && minutes.has_value() == table_.has("break_glass_minutes");
    if (minutes) rule_.break_glass_minutes = static_cast<std::uint16_t>(*minutes);
  }

  void read_addressee() {
    const auto only = table_.optional_boolean("addressee_only");
    good_ = good_ && only.has_value() == table_.has("addressee_only");
    rule_.addressee_only = only.value_or(false);
    if (!rule_.addressee_only || rule_.young_person_from) return;
    fault("addressee_only", "the policy does not say from which age one writes to the young person.",
          "Add young_person_from = 16, or another age, at the top of a file of the policy.");
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
      case Coarsening::pseudonymised:
        if (kind != FieldKind::text) return "It needs a text.";
        if (path.text() == "id" || path.text() == "source_agency")
          return "The envelope is shown or left out.";
        return std::nullopt;
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

}  // namespace

std::optional<DisclosureRule> read_rule(ConfigTable table, const std::vector<std::string>& agreements,
                                        std::optional<std::uint8_t> young_person_from) {
  return RuleReader(table, agreements, young_person_from).read();
}

}  // namespace carehub::core
