#pragma once

#include <cstdint>
#include <optional>

#include "schemas/event_generated.h"

/// Which of a child's names is shown where a mark hides those that the child had before.
namespace carehub::core {

/// The place in `person.names` of the first that is not said to be former or another: official, usual or of
/// no stated use. Nothing where there is none.
std::optional<std::uint32_t> present_name(const event::Event& event);

}  // namespace carehub::core
