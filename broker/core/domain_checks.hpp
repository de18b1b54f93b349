#pragma once

#include <string>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::core {

/// What is wrong with an event. `place` is a path of event.fbs; `text` says why and what to do, never the value.
struct EventFault {
  std::string code;
  std::string place;
  std::string text;
};

/// Identifiers with wrong check digits, dates that cannot be (born after the event, discharged before admitted in one
/// message, years outside 1900 to 2200), a payload that is not the one `type` names. Empty: acceptable.
std::vector<EventFault> check_event(const event::Event& event, Timestamp now);

}  // namespace carehub::core
