#pragma once

#include <string>
#include <string_view>

#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"
#include "schemas/event_generated.h"

/// Dates and times as legacy systems write them. Partial precision is kept. A time without an offset is local
/// to a zone: of the hour that comes twice the first is meant (summer time still holds); a time in the hour
/// that never comes is moved forward by the length of the gap.
namespace carehub::adapters {

/// A zone of the system's tz database, such as Europe/London. Cheap to copy; thread-safe.
class Zone {
 public:
  /// Error `not_found`: the system's tz database has no such zone.
  static Result<Zone> find(std::string_view name);
  /// `local_us`: microseconds of the local wall clock. Gives the moment and the offset that was applied.
  std::pair<Timestamp, std::int16_t> resolve(std::int64_t local_us) const;
  /// Minutes east of Greenwich at a moment.
  std::int16_t offset_at(Timestamp at) const;

 private:
  explicit Zone(const void* zone) : zone_(zone) {}
  const void* zone_;
};

/// HL7 v2.5.1 section 2.A.22 DTM: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ].
Result<event::Time> parse_hl7_time(std::string_view text, const Zone& zone);
/// The date part of the same.
Result<event::Date> parse_hl7_date(std::string_view text);
/// A moment as HL7 writes it, in the zone, with its offset: 20260301093000+0000.
std::string hl7_time(Timestamp at, const Zone& zone);

/// `format` of %Y %m %d %H %M %S and other characters as they are: %d/%m/%Y %H:%M.
Result<event::Time> parse_time_as(std::string_view text, std::string_view format, const Zone& zone);
Result<event::Date> parse_date_as(std::string_view text, std::string_view format);
/// The parts of a time (in its own offset) or date written by such a format; a part that is not known is left
/// out with the character before it.
std::string format_time(const event::Time& time, std::string_view format);
std::string format_date(const event::Date& date, std::string_view format);
/// Error `invalid` when a format holds another % code.
Result<void> check_time_format(std::string_view format);

}  // namespace carehub::adapters
