#pragma once

#include <filesystem>
#include <vector>

#include "broker/app/surroundings.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::app {

/// The keys of a file such as checkpoint.keys ("-": standard input), one a line. `invalid` names the file,
/// and when it holds none.
Result<std::vector<storage::verify::Key>> read_verifier_keys(const std::filesystem::path& file,
                                                             Surroundings& surroundings);

}  // namespace carehub::app
