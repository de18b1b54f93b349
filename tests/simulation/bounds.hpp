#pragma once

#include <cstddef>

namespace carehub::simulation {

/// Waiting deliveries of a subscription that this program's hub keeps in memory.
std::size_t window_max();

}  // namespace carehub::simulation
