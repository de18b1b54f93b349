#include "broker/core/explanation.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "broker/base/event_builder.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

FieldPath path(const std::string& text) {
  const auto parsed = FieldPath::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

Policy policy_of(std::string_view text) {
  auto document = ConfigDocument::parse(text, "policy.toml");
  auto policy = Policy::read(document, 7);
  for (const auto& fault : document.faults()) FAIL(to_string(fault));
  return policy;
}

Agency school_with(std::string code) {
  Agency agency;
  agency.id = "holm-school";
  agency.codes = {std::move(code)};
  return agency;
}

ExplainedField field_of(const Explanation& explanation, const std::string& at) {
  const auto found = std::ranges::find(explanation.fields, at, &ExplainedField::path);
  INFO(at);
  REQUIRE(found != explanation.fields.end());
  return *found;
}

const std::string kPolicy = R"([[rule]]
name = "tier 4 alone"
role = "school"
types = ["admission"]
tiers = [4]
show = ["person"]
legal_basis = "Children Act 2004 s.10"
[[rule]]
name = "discharges"
role = "school"
types = ["discharge"]
show = ["person"]
legal_basis = "Children Act 2004 s.10"
[[rule]]
name = "own pupils"
role = "school"
types = ["admission"]
relationship = "pupil"
show = ["person.upn", "person.addresses", "occurred_at"]
coarsen = [{ path = "person.birth_date", how = "to_year" }, { path = "occurred_at", how = "to_date" }]
legal_basis = "Children Act 2004 s.11"
[[rule]]
name = "whoever is left"
role = "school"
types = ["admission"]
tiers = [1, 2]
show = ["person.upn"]
legal_basis = "Children Act 2004 s.12"
[[rule]]
name = "somebody else's"
role = "council"
types = ["*"]
show = ["*"]
legal_basis = "Children Act 1989 s.47"
)";

Bytes admission(const std::string& restriction = {}) {
  EventBuilder builder;
  const auto set = [&builder](const std::string& at, std::string_view value) {
    REQUIRE(builder.set(path(at), value));
  };
  set("id", "e-1");
  set("source_agency", "elwick-hospital");
  set("type", "admission");
  set("occurred_at", "2026-10-28T21:15+00:00");
  set("person.upn", "A900000000001");
  set("person.birth_date", "2012-05-03");
  set("person.school.code", "900001");
  set("person.addresses[0].postcode", "ZZ99 3WZ");
  set("person.names[0].family", "Alder");
  set("admission.location.ward", "Rowan");
  if (!restriction.empty()) set("restrictions[0]", restriction);
  auto bytes = builder.finish();
  REQUIRE(bytes);
  return std::move(*bytes);
}

}  // namespace

TEST_CASE("each field of an event is shown, coarsened or withheld by the rule that decides") {
  const auto policy = policy_of(kPolicy);
  const auto bytes = admission();
  const auto told = explain(policy, "school", school_with("900001"), *verified_event(bytes),
                            with_own({}, *verified_event(bytes), {}), {});
  REQUIRE(told.rule != nullptr);
  CHECK(told.rule->name == "own pupils");
  CHECK(field_of(told, "id").seen == Seen::shown);
  CHECK(field_of(told, "source_agency").seen == Seen::withheld);
  CHECK(field_of(told, "person.upn").seen == Seen::shown);
  CHECK(field_of(told, "person.addresses[0].postcode").seen == Seen::shown);
  CHECK(field_of(told, "person.addresses[0].postcode").why.find("person.addresses") != std::string::npos);
  CHECK(field_of(told, "person.birth_date").seen == Seen::coarsened);
  CHECK(field_of(told, "person.birth_date").why == "cut to its year");
  CHECK(field_of(told, "occurred_at").seen == Seen::coarsened);
  CHECK(field_of(told, "person.names[0].family").seen == Seen::withheld);
  CHECK(field_of(told, "admission.location.ward").seen == Seen::withheld);
}

TEST_CASE("every rule of the role says why it does not decide, and no other role's is told of") {
  const auto policy = policy_of(kPolicy);
  const auto bytes = admission();
  const auto told = explain(policy, "school", school_with("900001"), *verified_event(bytes),
                            with_own({}, *verified_event(bytes), {}), {});
  REQUIRE(told.rules.size() == 4);
  CHECK(told.rules[0].why == "it is for events of tier 4");
  CHECK(told.rules[1].why == "it is for other event types");
  CHECK(told.rules[2].why.starts_with("it fits"));
  CHECK(told.rules[3].why == "it is for events of tier 1, 2");
}

TEST_CASE("where nothing is shown every field is withheld and the relationship that is missing is named") {
  const auto policy = policy_of(kPolicy);
  const auto bytes = admission();
  const auto told = explain(policy, "school", school_with("900002"), *verified_event(bytes),
                            with_own({}, *verified_event(bytes), {}), {});
  CHECK(told.rule == nullptr);
  CHECK(told.rules[2].why.find("school is none of the agency's codes") != std::string::npos);
  CHECK_FALSE(told.fields.empty());
  CHECK(std::ranges::all_of(told.fields, [](const auto& field) { return field.seen == Seen::withheld; }));
  CHECK(explain(policy, "no-such-role", school_with("900001"), *verified_event(bytes),
                with_own({}, *verified_event(bytes), {}), {})
            .rules.empty());
}

TEST_CASE("a mark hides a field that the rule shows, and one that withholds the event whole is a reason") {
  const auto policy = policy_of(kPolicy);
  const auto sensitive = admission("sensitive_address");
  const auto told = explain(policy, "school", school_with("900001"), *verified_event(sensitive),
                            with_own({}, *verified_event(sensitive), {}), {});
  CHECK(field_of(told, "person.addresses[0].postcode").seen == Seen::hidden);
  CHECK(field_of(told, "person.upn").seen == Seen::hidden);
  const auto whole = admission("witness_protection");
  const auto nothing = explain(policy, "school", school_with("900001"), *verified_event(whole),
                               with_own({}, *verified_event(whole), {}), {});
  CHECK(nothing.rule == nullptr);
  CHECK(nothing.rules[2].why.find("withholds the event whole") != std::string::npos);
}

TEST_CASE("no reason holds a value of the event") {
  const auto policy = policy_of(kPolicy);
  const auto bytes = admission("sensitive_address");
  const auto told = explain(policy, "school", school_with("900001"), *verified_event(bytes),
                            with_own({}, *verified_event(bytes), {}), {});
  std::string all;
  for (const auto& field : told.fields) all += field.path + field.why;
  for (const auto& rule : told.rules) all += rule.why;
  for (const auto* value : {"Alder", "Rowan", "A900000000001", "ZZ99", "2012", "elwick"})
    CHECK(all.find(value) == std::string::npos);
}

namespace {

std::string unique_text(fakes::SeededRandom& random) {
  std::string text = "u";
  for (int i = 0; i < 14; ++i) text.push_back(static_cast<char>('a' + random.below(26)));
  return text;
}

/// An event of one type in which nearly every field has a value; texts are unique.
Bytes full_event(fakes::SeededRandom& random) {
  const auto type =
      static_cast<event::EventType>(1 + random.below(static_cast<std::uint64_t>(event::EventType::MAX)));
  EventBuilder builder;
  for (const auto& name : event_field_names()) {
    const auto top = event_type_from(name.substr(0, name.find_first_of(".[")));
    const auto leaf = path(name);
    const auto place = leaf.at(std::vector<std::uint32_t>(leaf.open_lists(), 0));
    const auto set = [&](const FieldPath& at, const std::string& value) { REQUIRE(builder.set(at, value)); };
    if (name == "type") {
      set(leaf, event_type_name(type));
    } else if (top != event::EventType::unknown && top != type) {
      continue;
    } else if (leaf.kind() == FieldKind::text) {
      set(place, unique_text(random));
      if (leaf.open_lists() == 1) set(leaf.at(std::vector<std::uint32_t>{1}), unique_text(random));
    } else if (leaf.kind() == FieldKind::enumeration && random.below(3) != 0) {
      const auto names = enumeration_names(leaf);
      set(place, names[1 + random.below(names.size() - 1)]);
    } else if (leaf.kind() == FieldKind::date) {
      set(place, "2012-05-03");
    } else if (leaf.kind() == FieldKind::time) {
      set(place, "2026-10-28T21:15+00:00");
    }
  }
  auto bytes = builder.finish();
  REQUIRE(bytes);
  return std::move(*bytes);
}

DisclosureRule random_rule(fakes::SeededRandom& random) {
  const auto& names = event_field_names();
  DisclosureRule rule;
  for (auto paths = random.below(60); paths > 0; --paths) {
    auto name = names[random.below(names.size())];
    if (random.below(2) == 0) name = name.substr(0, name.find('.'));
    if (const auto shown = FieldPath::parse(name)) rule.show.push_back(*shown);
  }
  for (auto paths = random.below(40); paths > 0; --paths) {
    const auto at = path(names[random.below(names.size())]);
    if (at.kind() == FieldKind::date || at.kind() == FieldKind::time)
      rule.coarsen.push_back({at, Coarsening::to_year, ""});
    if (at.kind() == FieldKind::text && at.open_lists() == 0 && at.text().find('.') != std::string::npos)
      rule.coarsen.push_back({at, Coarsening::replaced, "FIXED"});
    if (at.text().ends_with(".postcode")) rule.coarsen.push_back({at, Coarsening::to_district, ""});
  }
  rule.sees_restricted = static_cast<RestrictionSet>(random.below(32));
  return rule;
}

bool holds(const Bytes& bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}

/// `person.names[0].family` as `person.names[].family`: a view closes its lists up.
std::string opened(std::string at) {
  for (auto from = at.find('['); from != std::string::npos; from = at.find('[', from + 1))
    at.erase(from + 1, at.find(']', from) - from - 1);
  return at;
}

}  // namespace

TEST_CASE("what is said to be shown is in the view, and what is said not to be is not") {
  const auto seed =
      Catch::rngSeed() != 0 ? std::uint64_t{Catch::rngSeed()} : std::uint64_t{std::random_device{}()};
  INFO("seed " << seed << "; run again with --rng-seed " << seed);
  fakes::SeededRandom random(seed);
  std::map<Seen, std::size_t> said;
  for (int round = 0; round < 300; ++round) {
    const auto bytes = full_event(random);
    const auto* event = verified_event(bytes);
    const auto rule = random_rule(random);
    const auto view = redact(*event, rule, restrictions_of(*event), storage::SecretKey());
    REQUIRE(view);
    std::map<std::string, std::string> values;
    visit_fields(*event, [&](const std::string& at, std::string_view value) { values.emplace(at, value); });
    const auto fields = explain_fields(rule, *event, restrictions_of(*event));
    REQUIRE(fields.size() == values.size());
    for (const auto& field : fields) {
      ++said[field.seen];
      const auto& value = values.at(field.path);
      if (field.seen == Seen::shown) {
        const auto there = field_values(*verified_event(*view), path(opened(field.path)));
        if (std::ranges::find(there, value) == there.end())
          FAIL("round " << round << ": said to be shown, but is not: " << field.path);
      } else if (path(field.path).kind() == FieldKind::text && holds(*view, value)) {
        FAIL("round " << round << ": said to be " << word_of(field.seen) << ", but is shown: " << field.path);
      }
    }
  }
  for (const auto seen : {Seen::shown, Seen::coarsened, Seen::hidden, Seen::withheld}) {
    INFO(word_of(seen));
    CHECK(said[seen] > 100);
  }
}
