#pragma once

#include "broker/core/state_reader.hpp"

/// A correction cancels an earlier event (HL7 A11, A12, A13), and whoever was told of that one is told of its
/// cancel.
namespace carehub::core {

/// What a correction cancels; an admission where it does not say. EventType::unknown: it is no correction.
event::EventType corrected_type(const event::Event& event);

/// Senders leave out of a cancel what decides who hears of it: the tier, and the child's authority, practice,
/// school and birth date. Those that are missing are taken from the event that it cancels: the child's newest
/// one of that type, agency and, where both say one, visit or message number, looked for among the child's
/// last entries back from `newest`. The event as it is to be written down; no bytes: it stays as it is.
Result<Bytes> completed_correction(const event::Event& correction, Sequence newest, const StateReader& state);

}  // namespace carehub::core
