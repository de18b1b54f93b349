#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker/base/result.hpp"

namespace carehub::storage {

/// Where copies of a vault have been made: a text beside it (`vault.places`), one a line, so that an erasure
/// knows of those that lie elsewhere. Each line says on which disk and in which directories the place is, by
/// their numbers and when they were made, so that a copy that is gone is told from a disk that is not there.
/// Where a file system gives too little of that, nothing there is known to be gone. A person may take a line
/// out.
std::filesystem::path vault_places_file(const std::filesystem::path& vault_file);

/// Notes down these places (whole paths), for good, before there is anything in them; what is known to be
/// gone is left out from then on. `invalid`: a path that is not whole, or of more than one line; or the disk.
Result<void> add_vault_places(const std::filesystem::path& vault_file,
                              const std::vector<std::filesystem::path>& places);

/// Gives the places that one vault knows of to a copy of it, which may become a hub's vault one day.
Result<void> copy_vault_places(const std::filesystem::path& vault_file, const std::filesystem::path& copy);

struct VaultPlaces {
  std::vector<std::filesystem::path> there;  // to be looked into
  std::vector<std::string> unknown;          // cannot be looked at, or may be another than it was; says why
};

/// Those that are not known to be gone.
VaultPlaces vault_places(const std::filesystem::path& vault_file);

}  // namespace carehub::storage
