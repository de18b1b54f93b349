#pragma once

#include <rocksdb/options.h>
#include <rocksdb/status.h>

#include <filesystem>

#include "broker/base/result.hpp"

namespace carehub::storage {

/// Values are ciphertext that is compressed already, keys arrive in order, memory stays under about 64 MB.
rocksdb::Options ledger_options();
/// Small rows, point reads and short scans, memory under about 64 MB.
rocksdb::Options state_options();
/// Of rows that come in the order of entries: tables are hardly ever merged. Memory under about 16 MB more.
rocksdb::Options ordered_state_options();

/// What went wrong in a database as one line with its place and remedy: `corrupt` for damage and missing
/// files, `unavailable` for all that a person can put right around it.
tl::unexpected<Error> rocks_error(const rocksdb::Status& status, const std::filesystem::path& database,
                                  const std::string& what);

}  // namespace carehub::storage
