#pragma once

#include "broker/core/state_reader.hpp"

/// A correction cancels an earlier event (HL7 A11, A12, A13), and whoever was told of that one is told of its
/// cancel.
namespace carehub::core {

/// What a correction cancels; an admission where it does not say. EventType::unknown: it is no correction.
event::EventType corrected_type(const event::Event& event);

/// A cancel goes by what it cancels, so that whoever was told of the one is told of the other and nobody else
/// is: tier and place, and the child's authority, practice, school and birth date are put in as that event
/// had them, whatever the cancel says or leaves out. It is looked for among the child's last entries back
/// from `newest`: the newest one of that type and agency that has the cancel's visit or message number; where
/// either says none, the newest that no cancel has met yet. The event as it is to be written down; no bytes:
/// nothing was found, and it stays as it is.
Result<Bytes> completed_correction(const event::Event& correction, Sequence newest, const StateReader& state);

/// The correction that cancels an event of a child whose newest entry is `newest`; 0: none is known.
Result<Sequence> cancel_of(Sequence sequence, Sequence newest, const StateReader& state);

}  // namespace carehub::core
