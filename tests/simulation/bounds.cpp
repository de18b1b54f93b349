#include "tests/simulation/bounds.hpp"

#include "broker/base/limits.hpp"

namespace carehub::simulation {

std::size_t window_max() { return limits::kWindowMax; }

}  // namespace carehub::simulation
