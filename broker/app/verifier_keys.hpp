#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker/app/surroundings.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::app {

/// The keys of a file such as checkpoint.keys ("-": standard input), one a line. `invalid` names the file,
/// and when it holds none.
Result<std::vector<storage::verify::Key>> read_verifier_keys(const std::filesystem::path& file,
                                                             Surroundings& surroundings);

struct HubKeys {
  std::string text;  // as the file has it
  std::vector<storage::verify::Key> keys;
};
/// A hub's public keys: of that file, or, where it is empty, of the hub's data when this user may read there.
Result<HubKeys> read_hub_keys(const std::filesystem::path& file, const std::filesystem::path& data,
                              Surroundings& surroundings);

}  // namespace carehub::app
