#pragma once

#include <filesystem>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::server {

constexpr std::size_t kPolicyFilesMax = 256;
constexpr std::uintmax_t kPolicyBytesMax = 1U << 20U;  // of all files

/// A policy's whole text, as PolicyChanged records it: of one file, or of a folder's *.toml in the order of
/// their names (core/policy_text.hpp). Error `invalid`: what is wrong with a file, and what to do about it.
Result<std::string> read_policy_text(const std::filesystem::path& path);

}  // namespace carehub::server
