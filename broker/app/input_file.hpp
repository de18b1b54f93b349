#pragma once

#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// The whole of a file, or of standard input for "-", at most limits::kFileBytesMax.
Result<std::string> read_input(const std::string& file, Surroundings& surroundings);

}  // namespace carehub::app
