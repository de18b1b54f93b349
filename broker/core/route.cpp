#include "broker/core/route.hpp"

#include <algorithm>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/core/corrections.hpp"
#include "broker/core/event_dates.hpp"

namespace carehub::core {
namespace {

using namespace std::chrono;

constexpr int kAgeUnlimited = 255;

/// The youngest and the oldest that the person can have been.
struct AgeRange {
  int youngest_years;
  int oldest_years;
};

int completed_years(year_month_day born, year_month_day on) {
  const int years = static_cast<int>(on.year()) - static_cast<int>(born.year());
  const bool birthday_to_come =
      on.month() < born.month() || (on.month() == born.month() && on.day() < born.day());
  return birthday_to_come ? years - 1 : years;
}

/// An event without its own time happened when the hub heard of it, as far as anybody can tell.
std::optional<DayRange> days_of_event(const event::Event& event) {
  if (const auto* occurred = event.occurred_at()) return days_of(copied(occurred));
  if (event.received_at() == 0) return std::nullopt;
  return days_of(event::Time(event.received_at(), 0, event::TimePrecision::subsecond));
}

std::optional<AgeRange> age_range(const event::Event& event) {
  const auto* person = event.person();
  if (person == nullptr || person->birth_date() == nullptr) return std::nullopt;
  const auto born = days_of(copied(person->birth_date()));
  const auto on = days_of_event(event);
  if (!born || !on) return std::nullopt;
  const AgeRange age{completed_years(born->last, on->first), completed_years(born->first, on->last)};
  if (age.oldest_years < 0) return std::nullopt;
  return AgeRange{std::max(age.youngest_years, 0), age.oldest_years};
}

std::string_view text_of(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view{} : text->string_view();
}

using TextList = std::vector<std::string>;

bool any_or_listed(const TextList& wanted, std::string_view value) {
  return wanted.empty() || (!value.empty() && std::ranges::find(wanted, value) != wanted.end());
}

template <class T>
bool any_or_listed(const std::vector<T>& wanted, T value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

bool any_or_coded(const TextList& wanted, const event::Organisation* organisation) {
  return wanted.empty() || has_code(organisation, wanted);
}

event::ThriveGroup thrive_of(const event::Event& event) {
  if (const auto* referral = event.referral()) return referral->thrive();
  if (const auto* update = event.referral_update()) return update->thrive();
  return event::ThriveGroup::unknown;
}

std::string_view flag_reason_of(const event::Event& event) {
  const auto* flag = event.safeguarding_flag();
  if (flag == nullptr || flag->reason() == nullptr) return {};
  return text_of(flag->reason()->code());
}

/// An age that is not known for certain fails a condition on age: a filter says what somebody asked to get.
bool age_fits(const ledger::FilterT& filter, const event::Event& event) {
  if (filter.age_min_years == 0 && filter.age_max_years == kAgeUnlimited) return true;
  const auto age = age_range(event);
  return age && age->youngest_years >= filter.age_min_years && age->oldest_years <= filter.age_max_years;
}

bool names_unit(const event::Location& location, const TextList& units) {
  for (const auto* name : {location.unit_code(), location.ward_code(), location.unit(), location.ward()}) {
    if (name != nullptr && std::ranges::find(units, name->string_view()) != units.end()) return true;
  }
  return false;
}

bool has_unit(const event::Location& location) {
  return location.unit_code() != nullptr || location.ward_code() != nullptr || location.unit() != nullptr ||
         location.ward() != nullptr;
}

}  // namespace

bool has_code(const event::Organisation* organisation, const std::vector<std::string>& codes) {
  if (organisation == nullptr || organisation->code() == nullptr) return false;
  // A sender's own code may look like somebody's official one.
  if (organisation->scheme() == event::OrganisationScheme::local) return false;
  const auto code = organisation->code()->string_view();
  return !code.empty() && std::ranges::find(codes, code) != codes.end();
}

std::vector<const event::Location*> locations_of(const event::Event& event) {
  std::vector<const event::Location*> locations;
  const auto add = [&locations](const event::Location* location) {
    if (location != nullptr) locations.push_back(location);
  };
  if (const auto* admission = event.admission()) add(admission->location());
  if (const auto* movement = event.movement()) {
    add(movement->from());
    add(movement->to());
  }
  if (const auto* discharge = event.discharge()) add(discharge->location());
  if (const auto* correction = event.correction()) add(correction->location());
  if (const auto* death = event.death()) add(death->location());
  return locations;
}

std::optional<int> age_years(const event::Event& event) {
  const auto age = age_range(event);
  if (!age || age->youngest_years != age->oldest_years) return std::nullopt;
  return age->youngest_years;
}

int tier_of(const event::Event& event) {
  if (const auto* referral = event.referral()) return referral->tier();
  if (const auto* update = event.referral_update()) return update->tier();
  if (const auto* admission = event.admission()) return admission->tier();
  if (const auto* movement = event.movement()) return movement->tier();
  if (const auto* discharge = event.discharge()) return discharge->tier();
  if (const auto* capacity = event.capacity()) return capacity->tier();
  if (const auto* correction = event.correction()) return correction->tier();
  return 0;
}

event::Urgency urgency_of(const event::Event& event) {
  using event::Urgency;
  if (const auto* flag = event.safeguarding_flag()) {
    if (flag->immediate_danger() == event::Answer::yes) return Urgency::emergency;
    return std::max(flag->urgency(), Urgency::urgent);
  }
  if (const auto* admission = event.admission()) {
    return admission->tier() == 4 ? std::max(admission->urgency(), Urgency::urgent) : admission->urgency();
  }
  if (const auto* referral = event.referral()) return referral->urgency();
  if (const auto* contact = event.crisis_contact()) return contact->urgency();
  return Urgency::unknown;
}

namespace {

bool content_fits(const ledger::FilterT& filter, const event::Event& event, std::string_view channel) {
  const auto* person = event.person();
  return any_or_listed(filter.agencies, text_of(event.source_agency())) &&
         any_or_listed(filter.channels, channel) &&
         any_or_listed(filter.tiers, static_cast<std::uint8_t>(tier_of(event))) &&
         any_or_listed(filter.thrive, thrive_of(event)) &&
         any_or_coded(filter.home_authorities, person == nullptr ? nullptr : person->home_authority()) &&
         any_or_coded(filter.gp_practices, person == nullptr ? nullptr : person->gp_practice()) &&
         any_or_coded(filter.schools, person == nullptr ? nullptr : person->school()) &&
         any_or_listed(filter.flag_reasons, flag_reason_of(event)) && age_fits(filter, event);
}

}  // namespace

bool matches(const ledger::FilterT& filter, const event::Event& event, std::string_view channel) {
  return (any_or_listed(filter.types, event.type()) || any_or_listed(filter.types, corrected_type(event))) &&
         content_fits(filter, event, channel);
}

bool looks_at_view(const Subscription& subscription) {
  if (subscription.configured || subscription.replay || subscription.agency.empty()) return false;
  const auto& filter = subscription.filter;
  const bool any_age = filter.age_min_years == 0 && filter.age_max_years == kAgeUnlimited;
  return !(any_age && filter.agencies.empty() && filter.channels.empty() && filter.tiers.empty() &&
           filter.thrive.empty() && filter.home_authorities.empty() && filter.gp_practices.empty() &&
           filter.schools.empty() && filter.flag_reasons.empty());
}

bool matches_view(const ledger::FilterT& filter, const event::Event& view, std::string_view channel) {
  return content_fits(filter, view, view.source_channel() == nullptr ? std::string_view() : channel);
}

bool may_want(const ledger::FilterT& filter, event::EventType type) {
  if (any_or_listed(filter.types, type)) return true;
  return type == event::EventType::correction &&
         std::ranges::any_of(filter.types, [](event::EventType wanted) {
           return wanted == event::EventType::admission || wanted == event::EventType::movement ||
                  wanted == event::EventType::discharge;
         });
}

std::optional<std::string> out_of_scope(const Scope& scope, const event::Event& event) {
  if (scope.age_min_years || scope.age_max_years) {
    if (const auto age = age_range(event)) {
      if (scope.age_max_years && age->youngest_years > *scope.age_max_years) {
        return "age over " + std::to_string(*scope.age_max_years);
      }
      if (scope.age_min_years && age->oldest_years < *scope.age_min_years) {
        return "age under " + std::to_string(*scope.age_min_years);
      }
    }
  }
  if (scope.units.empty()) return std::nullopt;
  bool knows_where = false;
  for (const auto* location : locations_of(event)) {
    if (names_unit(*location, scope.units)) return std::nullopt;
    knows_where = knows_where || has_unit(*location);
  }
  if (const auto* capacity = event.capacity()) {
    for (const auto* name : {capacity->unit_code(), capacity->unit()}) {
      if (name == nullptr) continue;
      if (std::ranges::find(scope.units, name->string_view()) != scope.units.end()) return std::nullopt;
      knows_where = true;
    }
  }
  if (knows_where) return "unit not listed";
  return std::nullopt;
}

}  // namespace carehub::core
