#include "broker/app/bench_county.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "broker/base/assert.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/storage/sha256.hpp"
#include "schemas/event_generated.h"

namespace carehub::app {
namespace {

constexpr std::uint32_t kFirstSchool = 900'001;
constexpr std::uint32_t kSharedSubscriptions =
    2;  // the council's and the commissioner's come before the schools'
constexpr std::int64_t kAdmittedAt = 1'772'355'600'000'000;  // 2026-03-01T09:00Z
constexpr std::size_t kNumberDigits = 10;

// As long as what is written over them.
constexpr std::string_view kIdForm = "bench-rrrrrrrrrrrrrrrr-nnnnnnnnnnnn";
constexpr std::string_view kNumberForm = "##########";
constexpr std::string_view kSchoolForm = "@@@@@@";

constexpr const char* kPolicy = R"(
[[rule]]
name = "the duty desk sees all"
role = "social-care-duty"
types = ["*"]
show = ["*"]
legal_basis = "Children Act 2004 s.10"

[[rule]]
name = "the commissioner sees where and when"
role = "tier4-case-manager"
types = ["admission", "discharge"]
tiers = [4]
show = ["person.nhs_number", "admission.tier", "admission.admitted_at", "admission.location.unit"]
legal_basis = "NHS Act 2006 s.3B"

[[rule]]
name = "a school sees whom to expect back"
role = "school-pastoral"
types = ["admission", "discharge"]
relationship = "pupil"
show = ["person.names", "person.birth_date"]
legal_basis = "Children Act 2004 s.10"
)";

std::uint32_t schools_of(std::uint32_t subscriptions) {
  return subscriptions > kSharedSubscriptions ? subscriptions - kSharedSubscriptions : 0;
}

std::string school_code(std::uint32_t school) { return std::to_string(kFirstSchool + school); }

std::string valid_numbers(std::uint32_t children) {
  std::string all;
  all.reserve(children * kNumberDigits);
  for (std::uint32_t number = 0; all.size() < children * kNumberDigits; ++number) {
    const std::string digits = fmt::format("999{:06}", number);
    if (const auto check = nhs_check_digit(digits)) all += digits + *check;
  }
  return all;
}

event::EventT admission(std::size_t padding) {
  event::EventT event;
  event.id = kIdForm;
  event.type = event::EventType::admission;
  event.source_agency = kBenchPublisher;
  event.received_at = kAdmittedAt;
  event.occurred_at = std::make_unique<event::Time>(kAdmittedAt, 0, event::TimePrecision::second);
  event.person = std::make_unique<event::PersonT>();
  event.person->nhs_number = kNumberForm;
  event.person->birth_date = std::make_unique<event::Date>(std::int16_t{2012}, 5, 3);
  auto name = std::make_unique<event::NameT>();
  name->family = "Larkspur";
  name->given = {"Robin"};
  event.person->names.push_back(std::move(name));
  event.person->school = std::make_unique<event::OrganisationT>();
  event.person->school->code = kSchoolForm;
  event.person->school->scheme = event::OrganisationScheme::urn;
  event.admission = std::make_unique<event::AdmissionT>();
  event.admission->visit_number = "V000001";
  event.admission->tier = 4;
  event.admission->admitted_at = std::make_unique<event::Time>(kAdmittedAt, 0, event::TimePrecision::second);
  event.admission->location = std::make_unique<event::LocationT>();
  event.admission->location->unit = "Willow";
  event.admission->location->ward = "Sunflower";
  event.admission->reason_text.assign(padding, 'x');
  return event;
}

Bytes packed(std::size_t padding) {
  flatbuffers::FlatBufferBuilder builder;
  const auto event = admission(padding);
  builder.Finish(event::Event::Pack(builder, &event), event::EventIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

std::size_t place_of(const Bytes& event, std::string_view text) {
  const auto found = std::search(event.begin(), event.end(), text.begin(), text.end());
  CAREHUB_ASSERT(found != event.end(), "a form holds what is written over");
  return static_cast<std::size_t>(found - event.begin());
}

}  // namespace

std::vector<BenchSubscription> bench_subscriptions(std::uint32_t count) {
  std::vector<BenchSubscription> all = {{"northmarch-council", "council-duty-desk", kBenchRole},
                                        {"march-commissioner", "tier4-notice", "tier4-case-manager"}};
  all.resize(std::min<std::size_t>(all.size(), count));
  for (std::uint32_t school = 0; school < schools_of(count); ++school)
    all.push_back({"northmarch-schools", "school-" + school_code(school), "school-pastoral"});
  return all;
}

std::uint32_t bench_matches(std::uint32_t subscriptions) {
  return std::min(subscriptions, kSharedSubscriptions + 1);
}

core::HubRules bench_rules(std::uint32_t subscriptions) {
  const std::vector<event::EventType> types = {event::EventType::admission, event::EventType::discharge};
  core::HubRules rules;
  rules.agencies = {
      {kBenchPublisher, "Elwick", "hospital", {"RZX01"}, types, {}},
      {"northmarch-council", "Northmarch", "council", {"E10000099"}, {}, {kBenchRole}},
      {"march-commissioner", "March", "commissioner", {"QZZ"}, {}, {"tier4-case-manager"}},
      {"northmarch-schools", "Northmarch schools", "school", {}, {}, {"school-pastoral"}},
  };
  core::Scope under_18;
  under_18.age_max_years = 17;
  rules.inbound = {{"elwick-adt", kBenchPublisher, under_18}};
  for (const auto& each : bench_subscriptions(subscriptions)) {
    core::Subscription made;
    made.name = each.name;
    made.agency = each.agency;
    made.role = each.role;
    if (each.role == "school-pastoral") {
      const std::string code = each.name.substr(each.name.find('-') + 1);
      made.filter.schools = {code};
      rules.agencies.back().codes.push_back(code);
    }
    rules.subscriptions.push_back(std::move(made));
  }
  rules.policy_text = kPolicy;
  rules.policy_file = "bench policy";
  return rules;
}

BenchEvents::BenchEvents(const Shape& shape)
    : children_(std::clamp(shape.children, 1U, kChildrenMax)),
      schools_(std::max(1U, schools_of(shape.subscriptions))),
      random_(shape.seed),
      numbers_(valid_numbers(children_)) {
  const std::size_t least = packed(1).size();
  form_ = packed(shape.bytes > least ? shape.bytes - least + 1 : 1);
  id_at_ = place_of(form_, kIdForm);
  number_at_ = place_of(form_, kNumberForm);
  school_at_ = place_of(form_, kSchoolForm);
  write(form_, id_at_, fmt::format("bench-{:016x}-{:012}", shape.run, 0));
}

void BenchEvents::write(Bytes& event, std::size_t at, std::string_view text) const {
  std::copy(text.begin(), text.end(), event.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string_view BenchEvents::number_of(std::uint32_t child) const {
  return std::string_view(numbers_).substr(child * kNumberDigits, kNumberDigits);
}

client::Publication BenchEvents::next() {
  const auto child = static_cast<std::uint32_t>(random_() % children_);
  client::Publication made;
  made.channel = "elwick-adt";
  made.event = form_;
  write(made.event, id_at_ + kIdForm.rfind('-') + 1, fmt::format("{:012}", next_++));
  write(made.event, number_at_, number_of(child));
  write(made.event, school_at_, school_code(child % schools_));
  made.content_hash = storage::sha256({made.event});
  return made;
}

std::string BenchEvents::any_person() {
  return "nhs:" + std::string(number_of(static_cast<std::uint32_t>(random_() % children_)));
}

}  // namespace carehub::app
