#include "broker/storage/rocks_options.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdarg>
#include <memory>

namespace carehub::storage {
namespace {

constexpr std::size_t kWriteBufferBytes = 16U << 20U;
constexpr std::size_t kLedgerCacheBytes = 16U << 20U;
constexpr std::size_t kStateCacheBytes = 64U << 20U;
constexpr std::size_t kOrderedCacheBytes = 16U << 20U;
constexpr std::size_t kCompactionReadBytes = 1U << 20U;
constexpr int kCacheShardBits = 2;
constexpr int kOpenFilesMax = 256;

/// RocksDB's own log book would lie on the disk that may be full or failing, and a build of it with
/// assertions aborts the hub at the second line that cannot be written. What goes wrong comes back as a
/// status, all of it.
class NoLogBook final : public rocksdb::Logger {
 public:
  NoLogBook() : Logger(rocksdb::FATAL_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* /*format*/, va_list /*words*/) override {}
};

rocksdb::Options common_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.paranoid_file_checks = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.max_open_files = kOpenFilesMax;
  options.max_background_jobs = 2;
  options.info_log = std::make_shared<NoLogBook>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_bgerror_resume_count = 0;  // after an error the hub stops; a restart looks at what is there
  return options;
}

rocksdb::BlockBasedTableOptions table_options(std::size_t cache_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(cache_bytes, kCacheShardBits);
  table.cache_index_and_filter_blocks = true;  // else their memory grows with the database
  // Of every open table, so that a look-up takes no lock of the cache for them; kOpenFilesMax at most.
  table.metadata_cache_options.unpartitioned_pinning = rocksdb::PinningTier::kAll;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  return table;
}

}  // namespace

rocksdb::Options ledger_options() {
  rocksdb::Options options = common_options();
  rocksdb::BlockBasedTableOptions table = table_options(kLedgerCacheBytes);
  table.block_size = 16U << 10U;
  options.atomic_flush = true;  // else the small family of tiles would keep many log files alive
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Options state_options() {
  rocksdb::Options options = common_options();
  rocksdb::BlockBasedTableOptions table = table_options(kStateCacheBytes);
  constexpr double kBloomBitsPerKey = 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Most look-ups are for what is not there: a message or a person that is new.
  constexpr double kMemtableBloomShare = 0.1;
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = kMemtableBloomShare;
  options.create_missing_column_families = true;
  options.atomic_flush = true;  // rows and the applied sequence stay together
  // What is wrong in a table is found when it is read, and folded again: reading each anew is not worth it.
  options.paranoid_file_checks = false;
  // Keys come in no order, so a first level that is larger than what is merged into it is written again for
  // nothing; and smaller tables are merged with fewer.
  options.max_bytes_for_level_base = 4 * kWriteBufferBytes;
  options.target_file_size_base = kWriteBufferBytes;
  options.target_file_size_multiplier = 2;
  options.compaction_readahead_size = kCompactionReadBytes;
  return options;
}

rocksdb::Options ordered_state_options() {
  rocksdb::Options options = state_options();
  options.memtable_prefix_bloom_size_ratio = 0;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(kOrderedCacheBytes)));
  return options;
}

tl::unexpected<Error> rocks_error(const rocksdb::Status& status, const std::filesystem::path& database,
                                  const std::string& what) {
  std::string reason = status.ToString();
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  const std::string text = database.string() + ": " + what + ": " + reason;
  if (status.IsNoSpace())
    return fail(ErrorKind::unavailable, text + ". The disk is full: make room and restart");
  if (status.IsIOError() && reason.find("lock ") != std::string::npos) {
    return fail(ErrorKind::unavailable, text + ". Another hub uses it: stop that one first");
  }
  if (status.IsIOError() && !status.IsPathNotFound()) {
    return fail(ErrorKind::unavailable, text + ". Check the disk and restart");
  }
  if (status.IsBusy() || status.IsTimedOut() || status.IsShutdownInProgress() || status.IsAborted()) {
    return fail(ErrorKind::unavailable, text);
  }
  return fail(ErrorKind::corrupt, text);
}

}  // namespace carehub::storage
