#pragma once

#include <filesystem>

#include "broker/storage/master_key.hpp"

namespace carehub::storage {

/// Files beside `vault_file`, in `directories` (and the directories in those) and where a copy has been made
/// (vault_places.hpp) that are vaults and may still give one of these keys away: the master key opens them
/// and finds the key there, or they list it and the master key does not open them, or they cannot be read.
/// `vault_file` itself is none of them. What is not looked into is named as well: a place that cannot be,
/// holds too many files or goes too deep, an archive, a link to a directory elsewhere.
std::vector<std::string> vault_copies_with(const std::vector<KeyId>& ids,
                                           const std::filesystem::path& vault_file,
                                           const std::vector<std::filesystem::path>& directories,
                                           const SecretKey& master);

constexpr std::size_t kVaultCopyFilesMax = 100'000;  // that are looked at in one place

}  // namespace carehub::storage
