#include "tests/disclosure/matrix.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

namespace carehub::disclosure {
namespace {

using event::EventType;

constexpr const char* kHospital = "fenbrook-hospital";

/// A child whom every relationship and condition of the policy fits.
const Values kOurs{{"person.school.code", "900101"},
                   {"person.school.scheme", "urn"},
                   {"person.home_authority.code", "E10000099"},
                   {"person.home_authority.scheme", "gss"},
                   {"person.gp_practice.code", "A81001"},
                   {"person.gp_practice.scheme", "ods"},
                   {"person.birth_date", "2012-05-03"}};
/// One whom none fits.
const Values kElsewhere{{"person.school.code", "900202"},
                        {"person.school.scheme", "urn"},
                        {"person.home_authority.code", "E10000088"},
                        {"person.home_authority.scheme", "gss"},
                        {"person.gp_practice.code", "A81002"},
                        {"person.gp_practice.scheme", "ods"},
                        {"person.birth_date", "2018-05-03"}};

Values with(Values values, const Values& more) {
  for (const auto& [path, value] : more) values[path] = value;
  return values;
}

/// A tier, where the type has one.
Values in_tier(EventType type, int tier) {
  const auto path = std::string(event_type_name(type)) + ".tier";
  return FieldPath::parse(path) ? Values{{path, std::to_string(tier)}} : Values{};
}

std::vector<EventType> types_of(std::initializer_list<const char*> names) {
  std::vector<EventType> types;
  for (const auto* name : names) types.push_back(event_type_from(name));
  return types;
}

}  // namespace

std::vector<EventType> all_types() {
  std::vector<EventType> types;
  for (const auto type : event::EnumValuesEventType()) {
    if (type != EventType::unknown) types.push_back(type);
  }
  return types;
}

std::vector<core::Agency> county_agencies() {
  return {
      {kHospital, "Fenbrook", "hospital", {"RZX01"}, all_types(), {}},
      {"march-trust",
       "March",
       "mental_health_trust",
       {"RZY02"},
       types_of({"admission", "discharge", "referral", "crisis_contact"}),
       {"clinician"}},
      {"northmarch-council",
       "Northmarch",
       "council",
       {"E10000099"},
       types_of({"safeguarding_flag", "status_change"}),
       {"social-care-duty", "virtual-school"}},
      {"holm-school", "Holm", "school", {"900101"}, types_of({"attendance"}), {"school-pastoral"}},
      {"elm-practice", "Elm", "gp", {"A81001"}, {}, {"gp", "volunteer"}},
      {"march-commissioner", "Icb", "commissioner", {"QZZ"}, {}, {"tier4-case-manager"}},
      {"march-police", "Police", "police", {}, types_of({"crisis_contact"}), {"street-triage"}},
      {"march-mentors", "Mentors", "voluntary", {}, {}, {"mentor", "youth-worker"}},
      {"march-regulator", "Regulator", "regulator", {}, {}, {"inspector", "school-pastoral"}},
  };
}

PolicyModel county_policy() {
  PolicyModel policy;
  policy.agreements = {{"triage", {kHospital, "march-police"}, "2020-01-01", "2199-12-31"},
                       {"mentoring", {kHospital, "march-mentors"}, "2020-01-01", "2020-12-31"}};
  const std::vector<std::string> everything{"*"};
  policy.rules = {
      {.name = "duty desk",
       .role = "social-care-duty",
       .types = {"admission", "movement", "discharge", "safeguarding_flag", "referral", "correction"},
       .show = {"source_agency", "occurred_at", "person.nhs_number", "person.names", "admission.location",
                "admission.consultant", "discharge", "safeguarding_flag", "referral.number"},
       .coarsen = {{"person.birth_date", "to_month", ""}, {"person.addresses[].postcode", "to_district", ""}},
       .sees_restricted = {"sensitive_address"}},
      {.name = "looked after",
       .role = "virtual-school",
       .relationships = {"resident"},
       .show = {"occurred_at", "person.upn", "status_change", "attendance.kind", "review.at"}},
      {.name = "absence",
       .role = "school-pastoral",
       .types = {"admission", "discharge", "attendance", "plan_update"},
       .relationships = {"pupil"},
       .show = {"person.upn", "person.names[].family", "plan_update.summary",
                "plan_update.documents[].title"},
       .coarsen = {{"occurred_at", "to_date", ""},
                   {"admission.reason_text", "replaced", "absent for health reasons"}}},
      {.name = "practice",
       .role = "gp",
       .relationships = {"patient"},
       .show = {"person", "discharge.summary", "advice", "consent.decision", "death.at"}},
      {.name = "in an emergency",
       .role = "gp",
       .show = {"occurred_at", "person.names", "admission.legal_status"},
       .needs_broken_glass = true},
      {.name = "tier 4",
       .role = "tier4-case-manager",
       .types = {"admission", "movement", "discharge", "correction", "capacity", "referral_update"},
       .tiers = {4},
       .show = {"person.nhs_number", "admission.tier", "admission.legal_status", "capacity", "movement.to"},
       .coarsen = {{"admission.admitted_at", "to_month", ""}}},
      {.name = "triage",
       .role = "street-triage",
       .agreement = "triage",
       .show = {"journey", "person.names", "crisis_contact", "clock", "identity_link", "identity_merge"}},
      {.name = "mentoring", .role = "mentor", .agreement = "mentoring", .show = everything},
      {.name = "teenagers",
       .role = "youth-worker",
       .types = {"consent", "crisis_contact", "referral", "review", "advice", "death"},
       .age_min = 11,
       .age_max = 18,
       .show = {"person.names", "consent", "review.narrative", "referral.narrative"}},
      {.name = "inspection", .role = "inspector", .show = everything, .sees_restricted = {"*"}},
      {.name = "treatment", .role = "clinician", .show = everything},
      {.name = "treatment, of flags no more than that there is one",
       .role = "clinician",
       .types = {"safeguarding_flag", "crisis_contact"},
       .show = {"occurred_at"}},
      {.name = "audit", .role = "auditor", .show = everything},
  };
  return policy;
}

std::vector<std::string> county_roles() {
  std::vector<std::string> roles{"volunteer"};
  for (const auto& rule : county_policy().rules) {
    if (std::ranges::find(roles, rule.role) == roles.end()) roles.push_back(rule.role);
  }
  return roles;
}

Matrix::Matrix(Way way) : hub(county_agencies(), policy) {
  for (const auto& agency : hub.agencies()) desks.push_back({agency.id, hub.peer(way, agency.id)});
  desks.push_back({"", hub.peer(way, "")});
}

bool Matrix::may_use(const Desk& desk, const std::string& role) const {
  if (desk.is_operator()) return policy.has_role(role);
  const auto& roles = hub.agency(desk.agency).roles;
  return std::ranges::find(roles, role) != roles.end();
}

const ModelRule* Matrix::decides(const std::string& role, const std::string& agency,
                                 const Published& published, const Since& since) const {
  const bool concerned = published.sequence == since.sequence;
  return policy.decides(role, hub.agency(agency), published.event, today(), concerned ? since.said : Said(),
                        concerned && since.broken_by.contains(agency));
}

std::optional<Values> Matrix::shown(const std::string& role, const std::string& agency,
                                    const Published& published, const Since& since) const {
  const auto* rule = decides(role, agency, published, since);
  if (rule == nullptr) return std::nullopt;
  return view_of(*rule, published.event, published.sequence == since.sequence ? since.said : Said());
}

void Matrix::check_bytes(const Bytes& bytes, const std::vector<std::string>& roles, const std::string& agency,
                         const Since& since) const {
  for (const auto* trace : traces_.in(bytes)) {
    const auto& published = all_.at(trace->event);
    const auto said = published.sequence == since.sequence ? since.said : Said();
    const bool is_shown = std::ranges::any_of(roles, [&](const std::string& role) {
      const auto* rule = decides(role, agency, published, since);
      return published.sequence != 0 && rule != nullptr &&
             fate_of(*rule, published.event, trace->path, said) == Fate::shown;
    });
    if (!is_shown) FAIL("what " << agency << " gets holds " << trace->path << " of " << published.by);
  }
}

const Published& Matrix::example(EventType type, std::size_t variant) const {
  std::vector<const Published*> of_type;
  for (const auto& each : taken) {
    if (each.event.type == event_type_name(type)) of_type.push_back(&each);
  }
  return *of_type.at(variant % of_type.size());
}

void Matrix::publish() {
  for (auto& desk : desks) {
    std::vector<Published> own;
    for (const auto type : all_types()) {
      const auto source = desk.is_operator() ? std::string(kHospital) : desk.agency;
      own.push_back({maker_.whole(type, source, with(kOurs, in_tier(type, 4))), desk.agency});
      if (desk.agency == kHospital) {
        own.push_back({maker_.whole(type, source, with(kElsewhere, in_tier(type, 1))), desk.agency});
        for (const auto* mark : {"witness_protection", "sensitive_address", "adopted"}) {
          auto values = with(kOurs, in_tier(type, 4));
          values["restrictions[0]"] = mark;
          own.push_back({maker_.whole(type, source, values), desk.agency});
        }
      } else if (!desk.is_operator()) {
        // In another's name, of a type that is that one's to tell.
        own.push_back({maker_.whole(type, kHospital, kOurs), desk.agency});
      }
    }
    publish_as(desk, std::move(own));
  }
}

void Matrix::publish_as(Desk& desk, std::vector<Published> events) {
  for (std::size_t at = 0; at < events.size(); ++at) traces_.add(all_.size() + at, events[at].event);
  wire::PublishT frame;
  for (std::size_t at = 0; at < events.size(); ++at) {
    auto item = std::make_unique<wire::PublishItemT>();
    item->number = at;
    item->event = events[at].event.bytes;
    frame.items.push_back(std::move(item));
  }
  desk.peer.send(std::move(frame));
  const auto answer = desk.peer.answer();
  check_empty(answer.bytes);
  const auto* published = answer.as<wire::PublishedT>();
  REQUIRE(published != nullptr);
  REQUIRE(published->outcomes.size() == events.size());
  const auto& may_publish = hub.agency(desk.agency).may_publish;
  for (const auto& outcome : published->outcomes) {
    auto& one = events.at(outcome->number);
    INFO(desk.agency << " publishes " << one.event.type << " of " << one.event.at("source_agency"));
    const bool may = one.event.at("source_agency") == desk.agency &&
                     std::ranges::find(may_publish, event_type_from(one.event.type)) != may_publish.end();
    INFO(outcome->code << " at " << outcome->place << ": " << outcome->text);
    REQUIRE(outcome->outcome == (may ? wire::Outcome::receipt : wire::Outcome::refused));
    if (may) {
      one.sequence = outcome->sequence;
    } else {
      CHECK(outcome->kind == wire::ErrorKind::denied);
    }
  }
  for (const auto& each : events) {
    if (each.sequence != 0) taken.push_back(each);
    all_.push_back(each);
  }
}

}  // namespace carehub::disclosure
