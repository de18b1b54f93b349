#pragma once

#include <filesystem>
#include <functional>

#include "broker/base/ids.hpp"
#include "broker/base/result.hpp"
#include "broker/storage/backup_draft.hpp"

namespace rocksdb {
class DB;
}

namespace carehub::storage {

/// Told how many bytes of how many are copied; false: stop.
using CopyTold = std::function<bool(std::uint64_t done, std::uint64_t all)>;

/// Copies the files of an open database, which may be written to all the while, into a new directory. The
/// copy holds at least what was synced when it was called. The file without which no database opens comes
/// last.
Result<void> copy_database(rocksdb::DB& database, const std::filesystem::path& place,
                           const std::filesystem::path& into, const CopyTold& told);

/// Gives the database in `copy`/ledger what lies beside a ledger: a mark that says what the copy holds, the
/// newest signed checkpoint in it, and the listed keys of `data`. The last entry. Nothing of a secret.
Result<Sequence> finish_ledger_copy(const std::filesystem::path& copy, const std::filesystem::path& data);

}  // namespace carehub::storage
