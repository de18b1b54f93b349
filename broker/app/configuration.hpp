#pragma once

#include <filesystem>
#include <iosfwd>
#include <vector>

#include "broker/base/config_reader.hpp"

namespace carehub::app {

/// One line a fault, and how many there are.
void print_faults(const std::vector<ConfigFault>& faults, std::ostream& out);

}  // namespace carehub::app
