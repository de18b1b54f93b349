#pragma once

#include <filesystem>
#include <functional>

#include "broker/storage/entry.hpp"

namespace carehub::storage {

/// Hears of every entry of a backup, in order; an error ends it.
using VisitEntry = std::function<Result<void>(const SealedEntry&)>;

/// Makes a new ledger in `into` out of the first `to` entries of a backup, byte for byte, with a mark of its
/// own; its tiles are made when it is opened. Entries behind `to` are visited as well, and left out. Changes
/// nothing in the backup, which is a data directory or the database in it. Errors: `corrupt` names the entry,
/// `unavailable`: the disk; or as `visit` says.
Result<void> restore_entries(const std::filesystem::path& backup, const std::filesystem::path& into,
                             Sequence to, const VisitEntry& visit);

}  // namespace carehub::storage
