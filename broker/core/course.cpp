#include "broker/core/course.hpp"

namespace carehub::core {
namespace {

void reset(const CourseChange& change, Course& course) {
  course.skip_before = change.start > 1 ? change.start : 0;
  if (course.starting()) {
    course.next = change.start;  // the events behind it have not been looked at: they stay due
    return;
  }
  const bool back = change.start <= change.through;
  course.next = back ? change.start : 0;
  course.through = back ? change.through : 0;
}

}  // namespace

void apply(const CourseChange& change, Course& course) {
  switch (change.change) {
    case ledger::SubscriptionChange::created:
      // A client begins anew under a name that a channel had.
      if (!change.by_configuration) course = Course();
      if (change.start == 0) return;
      course.next = change.start;
      course.through = change.through;
      return;
    case ledger::SubscriptionChange::removed:
      // A channel that the configuration puts back goes on where it was, paused if it was.
      if (!change.by_configuration) course = Course();
      return;
    case ledger::SubscriptionChange::paused:
      if (!course.paused_since) course.paused_since = change.at;
      return;
    case ledger::SubscriptionChange::resumed: course.paused_since.reset(); return;
    case ledger::SubscriptionChange::cursor_reset: reset(change, course); return;
    case ledger::SubscriptionChange::skipped:
      if (change.through + 1 >= course.skip_before) course.skip_before = 0;
      return;
    case ledger::SubscriptionChange::advanced:
      course.next = change.start;
      if (change.start == 0) course.through = 0;
      return;
    default: return;
  }
}

}  // namespace carehub::core
