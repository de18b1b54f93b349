#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::core {

/// Where a subscription stands, apart from what is pending for it.
struct Course {
  std::optional<Timestamp> paused_since;
  Sequence skip_before = 0;  // what is pending before it is to be settled as skipped; 0: nothing is
  Sequence next = 0;         // events from here on are to be looked at; 0: none are
  Sequence through = 0;      // up to here; 0: up to the ledger's end

  /// It has not reached the ledger's end yet: what comes is offered once it is reached, in its order.
  bool starting() const { return next != 0 && through == 0; }
  bool moving() const { return skip_before != 0 || next != 0; }
};

/// What the ledger says about a subscription's course.
struct CourseChange {
  ledger::SubscriptionChange change = ledger::SubscriptionChange::unknown;
  Sequence start = 0;
  Sequence through = 0;  // of a replay that is created: its last
  bool by_configuration = false;
  Timestamp at;
};

/// What an entry does to a course: the one rule for the hub at work and for the fold that makes its state
/// again.
void apply(const CourseChange& change, Course& course);

}  // namespace carehub::core
