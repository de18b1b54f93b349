#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"
#include "schemas/ledger_generated.h"

namespace carehub::core {

/// What is wrong with an event. `place` is a path of event.fbs; `text` says why and what to do, never the
/// value.
struct EventFault {
  std::string code;
  std::string place;
  std::string text;
};

/// Identifiers with wrong check digits or shape, dates that cannot be (no such day, born after the event,
/// discharged before admitted in one message, years outside 1900 to 2200), a payload that is not the one that
/// `type` names or not alone, texts that are too long, not UTF-8 or hold control characters. Empty:
/// acceptable. An event without occurred_at is acceptable: it counts as having happened when it was received.
/// A time ahead of `now` is acceptable too; the engine marks it. At most kFaultsMax faults are listed.
std::vector<EventFault> check_event(const event::Event& event, Timestamp now);

constexpr std::size_t kFaultsMax = 20;

/// The fault of an event of a type that its agency may not publish.
std::optional<EventFault> type_fault(const std::string& agency,
                                     const std::vector<event::EventType>& may_publish, event::EventType type);

/// Whether what decides the scope is itself not at fault: otherwise the message is refused rather than let
/// go.
bool scope_is_certain(const std::vector<EventFault>& faults);

}  // namespace carehub::core
