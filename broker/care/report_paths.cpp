#include "broker/care/report_paths.hpp"

namespace carehub::care {
namespace {

using event::EventType;

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

std::string_view view_of(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : text->string_view();
}

/// The child's event before; nullopt: there is none, or nobody can read it any more.
Result<std::optional<PastEvent>> before(const PastReader& past, const PastEvent& event) {
  if (event.previous_of_person == 0) return std::optional<PastEvent>();
  auto found = past.event_at(event.previous_of_person);
  if (!found) return tl::unexpected(found.error());
  if (!*found || (*found)->person != event.person) return std::optional<PastEvent>();
  return std::move(*found);
}

bool is_stated(const event::Time* time) {
  return time != nullptr && time->precision() >= event::TimePrecision::day;
}

std::int64_t begun_us(const PastEvent& referral, const core::ReportDefinition& definition) {
  const auto* asked = referral.event->referral();
  if (definition.senders_times) {
    if (asked != nullptr && is_stated(asked->requested_at())) return asked->requested_at()->utc_us();
    if (is_stated(referral.event->occurred_at())) return referral.event->occurred_at()->utc_us();
  }
  return referral.appended_at.us;
}

std::int64_t ended_us(const PastEvent& update, const core::ReportDefinition& definition) {
  if (definition.senders_times && is_stated(update.event->occurred_at()))
    return update.event->occurred_at()->utc_us();
  return update.appended_at.us;
}

/// What names a referral: the numbers that the two sides gave it, and the journey.
struct Names {
  std::string_view number, receiver_number, journey;
};
Names names_of(const PastEvent& past) {
  Names names;
  names.journey = past.journey;
  if (const auto* referral = past.event->referral()) {
    names.number = view_of(referral->number());
    names.receiver_number = view_of(referral->receiver_number());
  }
  if (const auto* update = past.event->referral_update()) {
    names.number = view_of(update->number());
    names.receiver_number = view_of(update->receiver_number());
  }
  return names;
}

enum class Same : std::uint8_t { no, unsaid, yes };
/// Unsaid: nothing names both, so that they are of one child is all that speaks for it.
Same same_referral(const Names& left, const Names& right) {
  for (const auto part : {&Names::number, &Names::receiver_number, &Names::journey}) {
    const auto &one = left.*part, &other = right.*part;
    if (!one.empty() && !other.empty()) return one == other ? Same::yes : Same::no;
  }
  return Same::unsaid;
}

bool has_status(const event::Event& event, event::ReferralStatus status) {
  return event.referral_update() != nullptr && event.referral_update()->status() == status;
}

}  // namespace

bool begins_path(const event::Event& event) {
  if (event.type() == EventType::referral) return true;
  const auto* flag = event.safeguarding_flag();
  return flag != nullptr && flag->status() == event::FlagStatus::raised;
}

bool is_enquiry(const event::Event& event) {
  if (const auto* flag = event.safeguarding_flag()) return flag->status() == event::FlagStatus::active;
  const auto* review = event.review();
  return review != nullptr && review->kind() == event::ReviewKind::child_protection_conference &&
         review->status() != event::ReviewStatus::cancelled;
}

bool ends_wait(const event::Event& event) {
  return has_status(event, event::ReferralStatus::assessed) ||
         has_status(event, event::ReferralStatus::started);
}

Result<Conversion> conversion_of(const PastReader& past, const PastEvent& enquiry) {
  Conversion conversion;
  const auto since = enquiry.appended_at.us - kEnquiryDays * kDayUs;
  auto earlier = before(past, enquiry);
  while (earlier && *earlier && (*earlier)->appended_at.us >= since) {
    ++conversion.looked;
    const auto& event = *(*earlier)->event;
    const bool counts = (*earlier)->mends == 0;
    if (counts && is_enquiry(event)) {
      conversion.found = Conversion::Found::counted_before;
      return conversion;
    }
    if (counts && begins_path(event)) {
      conversion.found = Conversion::Found::referral;
      conversion.agency = (*earlier)->agency;
      return conversion;
    }
    if (conversion.looked == kPathEntriesMax) break;
    earlier = before(past, **earlier);
  }
  if (!earlier) return tl::unexpected(earlier.error());
  return conversion;
}

Result<Wait> wait_of(const PastReader& past, const PastEvent& update,
                     const core::ReportDefinition& definition) {
  Wait wait;
  const bool starts = has_status(*update.event, event::ReferralStatus::started);
  wait.first_help = true;
  wait.treatment = starts;
  const auto names = names_of(update);
  std::optional<std::int64_t> begun;
  auto earlier = before(past, update);
  while (earlier && *earlier && wait.looked < kPathEntriesMax) {
    ++wait.looked;
    const auto& one = **earlier;
    const auto same = one.mends == 0 ? same_referral(names, names_of(one)) : Same::no;
    if (same != Same::no && ends_wait(*one.event)) {
      wait.first_help = false;
      if (has_status(*one.event, event::ReferralStatus::started)) wait.treatment = false;
      if (!wait.treatment) return wait;
    }
    if (same != Same::no && one.event->type() == EventType::referral) {
      begun = begun_us(one, definition);
      // A referral that was sent again with its number began when it came first.
      if (same == Same::unsaid) break;
    }
    earlier = before(past, one);
  }
  if (!earlier) return tl::unexpected(earlier.error());
  if (begun) {
    const auto took = ended_us(update, definition) - *begun;
    if (took >= 0) wait.days = static_cast<std::uint64_t>(took / kDayUs);
  }
  return wait;
}

}  // namespace carehub::care
