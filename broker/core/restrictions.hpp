#pragma once

#include <cstdint>
#include <string_view>

#include "schemas/event_generated.h"

/// Marks of a child who is protected, and what each keeps from a role whose rule does not say that it sees
/// such a child in full (`sees_restricted`).
namespace carehub::core {

/// One bit for each event::Restriction.
using RestrictionSet = std::uint8_t;

RestrictionSet bit_of(event::Restriction restriction);

/// The marks that an event bears. One that this hub does not know counts as `other`.
RestrictionSet restrictions_of(const event::Event& event);

/// Whether one of the marks keeps the event back whole: witness_protection, sealed_record and other.
bool withholds_all(RestrictionSet marks);

/// Whether one of the marks hides the field of this name, in whatever table it stands. sensitive_address:
/// where the child lives, goes and can be reached, and prose, which may tell it. adopted: former identifiers,
/// contacts and addresses, and prose.
bool hides_field(RestrictionSet marks, std::string_view name);

/// Whether only the child's present name is shown (present_name.hpp): others may be of before an adoption.
bool hides_other_names(RestrictionSet marks);

}  // namespace carehub::core
