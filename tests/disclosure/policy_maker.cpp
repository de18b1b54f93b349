#include "tests/disclosure/policy_maker.hpp"

#include <algorithm>

namespace carehub::disclosure {
namespace {

constexpr std::size_t kAgreements = 4;

FieldPath parsed(const std::string& text) { return *FieldPath::parse(text); }

}  // namespace

ModelAgreement PolicyMaker::agreement(std::size_t number) {
  ModelAgreement made{"agreement " + std::to_string(number), {}, "2020-01-01", "2199-12-31"};
  for (const auto& agency : agencies_) {
    if (!one_in(3)) made.parties.push_back(agency);
  }
  if (made.parties.size() < 2) made.parties = agencies_;
  if (number == 0) made.until = "2020-12-31";
  if (number == 1) made.from = "2199-01-01";
  return made;
}

/// Cut anywhere, its lists open or at one element.
std::string PolicyMaker::path() {
  const auto& names = event_field_names();
  auto name = names[random_.below(names.size())];
  for (auto at = name.find('.'); at != std::string::npos; at = name.find('.', at + 1)) {
    if (one_in(3)) {
      name.resize(at);
      break;
    }
  }
  const auto cut = parsed(name);
  std::vector<std::uint32_t> indices;
  for (std::size_t i = 0; i < cut.open_lists() && one_in(3); ++i)
    indices.push_back(static_cast<std::uint32_t>(random_.below(3)));
  return cut.at(indices).text();
}

/// Nothing where none fits the field.
std::optional<ModelCoarsening> PolicyMaker::coarsening() {
  static constexpr const char* kTimes[] = {"to_month", "to_year", "to_date"};
  const auto at = parsed(path());
  const auto& text = at.text();
  if (at.kind() == FieldKind::time) return ModelCoarsening{text, kTimes[random_.below(3)], ""};
  if (at.kind() == FieldKind::date) return ModelCoarsening{text, kTimes[random_.below(2)], ""};
  if (at.kind() != FieldKind::text || text == "id" || text == "source_agency") return std::nullopt;
  if (text.ends_with(".postcode") && one_in(2)) return ModelCoarsening{text, "to_district", ""};
  if (one_in(3)) return ModelCoarsening{text, "pseudonymised", ""};
  if (at.open_lists() > 0) return std::nullopt;
  return ModelCoarsening{text, "replaced", "in its place"};
}

void PolicyMaker::add_conditions(ModelRule& rule, const PolicyModel& policy) {
  const auto types = event::EnumNamesEventType();
  if (!one_in(3)) {
    const auto last = static_cast<std::uint64_t>(event::EventType::MAX);
    for (auto count = 1 + random_.below(10); count > 0; --count)
      rule.types.insert(types[1 + random_.below(last)]);
  }
  if (one_in(4)) {
    for (auto count = 1 + random_.below(3); count > 0; --count)
      rule.tiers.insert(static_cast<int>(1 + random_.below(4)));
  }
  if (one_in(4)) {
    if (!one_in(3)) rule.age_min = static_cast<int>(random_.below(15));
    if (!rule.age_min || one_in(2))
      rule.age_max = rule.age_min.value_or(0) + 1 + static_cast<int>(random_.below(12));
  }
  static constexpr const char* kRelationships[] = {"pupil", "patient", "resident", "referral", "key_worker"};
  while (one_in(3)) rule.relationships.insert(kRelationships[random_.below(5)]);
  if (one_in(8)) rule.home_authorities.insert(one_in(4) ? "E10000088" : "E10000099");
  if (one_in(4)) rule.consent = one_in(2) ? "overridden" : "given";
  if (rule.consent == "given" || (rule.consent == "not_refused" && one_in(4))) {
    rule.consent_scopes.insert("care");
    if (one_in(2)) rule.consent_scopes.insert("photos");
  }
  if (one_in(3)) rule.agreement = policy.agreements[random_.below(policy.agreements.size())].name;
  rule.needs_broken_glass = one_in(12);
  if (one_in(8)) rule.sees_restricted.insert("*");
  for (const auto mark : event::EnumValuesRestriction()) {
    if (mark != event::Restriction::unknown && one_in(5))
      rule.sees_restricted.insert(event::EnumNameRestriction(mark));
  }
}

void PolicyMaker::add_fields(ModelRule& rule) {
  rule.addressee_only = one_in(4);
  if (one_in(10)) rule.show.push_back("*");
  for (auto count = random_.below(40); count > 0; --count) rule.show.push_back(path());
  for (auto count = random_.below(30); count > 0; --count) {
    const auto made = coarsening();
    const auto same = [&](const ModelCoarsening& other) { return other.path == made->path; };
    if (made && std::ranges::none_of(rule.coarsen, same)) rule.coarsen.push_back(*made);
  }
  if (rule.show.empty() && rule.coarsen.empty()) rule.show.push_back("occurred_at");
}

ModelRule PolicyMaker::rule(const std::string& role, const PolicyModel& policy) {
  ModelRule made;
  made.role = role;
  made.name = "rule " + std::to_string(policy.rules.size());
  add_conditions(made, policy);
  add_fields(made);
  return made;
}

PolicyModel PolicyMaker::make() {
  PolicyModel policy;
  for (std::size_t each = 0; each < kAgreements; ++each) policy.agreements.push_back(agreement(each));
  for (const auto& role : roles_) {
    for (auto count = 1 + random_.below(5); count > 0; --count) {
      const auto made = rule(role, policy);
      // Two of the same condition are a fault: the second would never decide.
      const auto same = [&](const ModelRule& other) { return other.same_condition(made); };
      if (std::ranges::none_of(policy.rules, same)) policy.rules.push_back(made);
    }
  }
  return policy;
}

}  // namespace carehub::disclosure
