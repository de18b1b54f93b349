#include "broker/storage/file_vault.hpp"

#include <sodium.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "broker/base/limits.hpp"
#include "broker/storage/vault_copies.hpp"
#include "broker/storage/vault_format.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlockBytes = limits::kVaultBlockKeys * kVaultRecordBytes;
constexpr std::size_t kChunkRecords = 8192;
const std::string kDraft = ".new";
constexpr const char* kRestore = ". Restore the vault from its backup";  // a running hub has the keys
constexpr std::size_t kReadBytes = kVaultRecordBytes * kChunkRecords;
constexpr int kCopyAttemptsMax = 16;

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

class FileVault final : public Vault {
 public:
  FileVault(File file, const SecretKey& master, const VaultKeys& keys, Random& random,
            std::vector<fs::path> copies)
      : file_(std::move(file)), master_(master), own_(keys), random_(random), copies_(std::move(copies)) {}

  Result<KeyId> mint() override {
    const std::lock_guard lock(mutex_);
    if (Result<void> there = settle(); !there) return tl::unexpected(there.error());
    if (spare_.empty()) {
      if (Result<void> more = mint_block(); !more) return tl::unexpected(more.error());
    }
    const KeyId id = spare_.front();
    spare_.pop_front();
    return id;
  }

  Result<SecretKey> key(const KeyId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(id);
    if (found != keys_.end()) return found->second;
    if (destroyed_.contains(id)) {
      return fail(ErrorKind::not_found, file_.path().string() + ": the key was destroyed");
    }
    return fail(ErrorKind::corrupt, file_.path().string() +
                                        ": no such key was ever minted in it, so it is older than what the "
                                        "key sealed: restore the newest vault");
  }

  Result<void> destroy(const std::vector<KeyId>& ids) override {
    // A copy may wait for its own disk, and whoever destroys keys has others to serve.
    const std::unique_lock no_copy(rewriting_, std::try_to_lock);
    if (!no_copy) {
      return fail(ErrorKind::unavailable,
                  file_.path().string() + ": a copy of it is being finished: no key is destroyed meanwhile");
    }
    const std::lock_guard lock(mutex_);
    std::unordered_set<KeyId> gone;
    for (const KeyId& id : ids) {
      if (keys_.contains(id)) gone.insert(id);
    }
    // The file that the rewriting before has replaced is wiped first: there is a hold on one alone.
    if (Result<void> there = settle(); !there) return there;
    return gone.empty() ? Result<void>() : rewrite(master_, gone);
  }

  std::vector<std::string> copies_with(const std::vector<KeyId>& ids) const override {
    const auto [path, master] = [&] {
      const std::lock_guard lock(mutex_);
      return std::pair(file_.path(), master_);
    }();
    return vault_copies_with(ids, path, copies_, master);
  }

  const SecretKey& index_key() const override { return own_.index; }

  Result<void> copy(const fs::path& to, const Copied& copied,
                    const std::function<Result<void>()>& publish) const {
    for (int attempt = 0; attempt < kCopyAttemptsMax; ++attempt) {
      const Snapshot taken = snapshot();
      Result<void> made =
          copy_file(taken.path, to, vault_record_at(taken.records), copied, vault_end(taken.records));
      if (made) made = verify_records(to, taken, " of the copy does not open. Look at both disks", {});
      // It may wait for the copy's disk: keys are minted and read meanwhile, and none is destroyed.
      const std::lock_guard no_rewriting(rewriting_);
      if (snapshot().rewritings == taken.rewritings) return made ? publish() : made;
      std::error_code error;  // it may hold a key that has been destroyed meanwhile
      fs::remove(to, error);
    }
    return fail(ErrorKind::unavailable, to.string() +
                                            ": keys were destroyed again and again while the vault was "
                                            "copied: ask again when no erasure is under way");
  }

  Result<void> verify(const std::function<bool()>& stopped) const {
    for (int attempt = 0; attempt < kCopyAttemptsMax; ++attempt) {
      const Snapshot taken = snapshot();
      const auto verified = verify_records(taken.path, taken, " is damaged", stopped);
      // Where it was replaced meanwhile, what was read was partly the old one.
      if (verified || snapshot().rewritings == taken.rewritings) return verified;
    }
    return fail(ErrorKind::unavailable, "keys were destroyed again and again while the vault was read");
  }

  Result<void> change_master(const SecretKey& master) {
    const std::lock_guard no_copy(rewriting_);
    const std::lock_guard lock(mutex_);
    return rewrite(master, {});
  }

  /// Reads all records; cuts off a block that was not finished.
  Result<void> load(std::vector<std::string>& notices) {
    const Result<std::uint64_t> size = file_.size();
    if (!size) return tl::unexpected(size.error());
    const Result<bool> is_finished = finished(*size);
    if (!is_finished) return tl::unexpected(is_finished.error());
    std::uint64_t whole = (*size - kVaultHeaderBytes) / kVaultRecordBytes;
    while (records_ < whole) {
      const Result<Bytes> chunk = file_.read_at(vault_record_at(records_), kReadBytes);
      if (!chunk) return tl::unexpected(chunk.error());
      const std::uint64_t before = records_;
      for (BytesView rest = *chunk; rest.size() >= kVaultRecordBytes;
           rest = rest.subspan(kVaultRecordBytes)) {
        if (!load_record(rest.first(kVaultRecordBytes))) break;
      }
      if (records_ - before < chunk->size() / kVaultRecordBytes) {
        // Of a block that was not finished any part may have reached the disk; elsewhere this is damage.
        if (*is_finished || *size - vault_record_at(records_) > kBlockBytes) return damaged(records_);
        whole = records_;
      }
    }
    return *is_finished ? Result<void>() : cut_unfinished(*size, notices);
  }

 private:
  struct Snapshot {
    fs::path path;
    std::uint64_t records = 0;  // whole, synced, and never changed in place
    std::uint64_t rewritings = 0;
    SecretKey master;
    SecretKey wrapping;
  };
  Snapshot snapshot() const {
    const std::lock_guard lock(mutex_);
    return {file_.path(), records_, rewritings_, master_, own_.vault};
  }

  static Result<void> verify_records(const fs::path& path, const Snapshot& taken, const char* damage,
                                     const std::function<bool()>& stopped) {
    const Result<File> file = File::open_to_read(path);
    if (!file) return tl::unexpected(file.error());
    const Result<Bytes> header = file->read_at(0, kVaultHeaderBytes);
    if (!header) return tl::unexpected(header.error());
    const auto keys = open_vault_header(*header, taken.master, path.string());
    if (!keys) return tl::unexpected(keys.error());
    for (std::uint64_t record = 0; record < taken.records;) {
      if (stopped && stopped()) return fail(ErrorKind::unavailable, path.string() + ": stopped");
      const Result<Bytes> chunk = file->read_at(vault_record_at(record), kReadBytes);
      if (!chunk) return tl::unexpected(chunk.error());
      BytesView rest = *chunk;
      for (; rest.size() >= kVaultRecordBytes && record < taken.records; ++record) {
        if (!open_vault_record(taken.wrapping, rest.first(kVaultRecordBytes), record)) break;
        rest = rest.subspan(kVaultRecordBytes);
      }
      if (record < taken.records && rest.size() >= kVaultRecordBytes) {
        return fail(ErrorKind::corrupt, path.string() + ": record " + std::to_string(record + 1) + damage);
      }
      if (chunk->size() < kVaultRecordBytes) return fail(ErrorKind::corrupt, path.string() + " is cut short");
    }
    return {};
  }

  Result<void> mint_block() {
    Bytes block;
    std::vector<std::pair<KeyId, SecretKey>> minted;
    for (std::uint64_t at = 0; at < limits::kVaultBlockKeys; ++at) {
      KeyId id;
      random_.fill(id.bytes);
      const SecretKey key = draw_key(random_);
      const Bytes record = vault_record(own_.vault, id, &key, records_ + at, random_);
      block.insert(block.end(), record.begin(), record.end());
      minted.emplace_back(id, key);
    }
    // A block that failed halfway is written over by the next attempt: no key of it was handed out.
    Result<void> safe = file_.write_at(vault_record_at(records_), block);
    if (safe) safe = file_.sync();
    if (safe) safe = write_end(records_ + limits::kVaultBlockKeys);
    if (!safe) return safe;
    records_ += limits::kVaultBlockKeys;
    for (const auto& [id, key] : minted) {
      keys_.emplace(id, key);
      spare_.push_back(id);
    }
    return {};
  }

  /// Puts a whole new file under a fresh wrapping key in the place of the old one, without the keys that are
  /// to go, and destroys the old one. Whatever happens in between, there is one of the two.
  Result<void> rewrite(const SecretKey& master, const std::unordered_set<KeyId>& gone) {
    const fs::path path = file_.path();
    const VaultKeys fresh{draw_key(random_), own_.index};
    Result<File> file = write_draft(path.string() + kDraft, master, fresh, gone);
    std::error_code error;
    if (!file) {
      fs::remove(path.string() + kDraft, error);
      return tl::unexpected(file.error());
    }
    fs::rename(path.string() + kDraft, path, error);
    if (error) {
      return fail(ErrorKind::unavailable, path.string() + ": cannot be replaced: " + error.message() +
                                              ". Check the rights on its directory");
    }
    // From here on the new one is the vault; keys are handed out once its name is safe.
    ++rewritings_;
    auto old = std::exchange(file_, std::move(*file));
    file_.renamed(path);
    master_ = master;
    own_ = fresh;
    records_ = keys_.size() + destroyed_.size();
    for (const KeyId& id : gone) {
      keys_.erase(id);
      destroyed_.insert(id);
    }
    std::erase_if(spare_, [&](const KeyId& id) { return gone.contains(id); });
    old_ = std::move(old);
    return settle();
  }

  Result<File> write_draft(const fs::path& draft, const SecretKey& master, const VaultKeys& fresh,
                           const std::unordered_set<KeyId>& gone) {
    std::error_code error;
    fs::remove(draft, error);
    Result<File> file = File::create(draft);
    if (!file) return file;
    Result<void> put = file->lock();
    if (put) put = file->write_at(0, vault_header(master, fresh, random_));
    std::uint64_t record = 0;
    Bytes chunk;
    const auto flush = [&] {
      if (put) put = file->write_at(vault_record_at(record) - chunk.size(), chunk);
      chunk.clear();
    };
    const auto add = [&](const KeyId& id, const SecretKey* key) {
      const Bytes bytes = vault_record(fresh.vault, id, key, record++, random_);
      chunk.insert(chunk.end(), bytes.begin(), bytes.end());
      if (chunk.size() >= kReadBytes) flush();
    };
    for (const auto& [id, key] : keys_) add(id, gone.contains(id) ? nullptr : &key);
    for (const KeyId& id : destroyed_) add(id, nullptr);
    flush();
    if (put) put = file->write_at(vault_record_at(record), vault_end(record));
    if (put) put = file->sync();
    if (!put) return tl::unexpected(put.error());
    return file;
  }

  /// What a rewriting has left to do: its name made safe, and the old file's wrapping key overwritten.
  Result<void> settle() {
    if (!old_) return {};
    if (Result<void> synced = sync_directory(directory_of(file_.path())); !synced) return synced;
    Result<void> wiped = old_->write_at(0, Bytes(kVaultHeaderBytes));
    if (wiped) wiped = old_->sync();
    if (wiped) old_.reset();
    return wiped;
  }

  bool load_record(BytesView bytes) {
    const auto record = open_vault_record(own_.vault, bytes, records_);
    if (!record) return false;
    if (record->key) {
      keys_.insert_or_assign(record->id, *record->key);
    } else {
      destroyed_.insert(record->id);
    }
    ++records_;
    return true;
  }

  /// Written after the sync, so where it is found the records before it were durable. Not synced itself: when
  /// it is lost the hub starts all the same.
  Result<void> write_end(std::uint64_t records) {
    return file_.write_at(vault_record_at(records), vault_end(records));
  }

  Result<bool> finished(std::uint64_t size) const {
    if (size < kVaultHeaderBytes + kVaultEndBytes) return false;
    const Result<Bytes> end = file_.read_at(size - kVaultEndBytes, kVaultEndBytes);
    if (!end) return tl::unexpected(end.error());
    const std::uint64_t records = (size - kVaultEndBytes - kVaultHeaderBytes) / kVaultRecordBytes;
    return vault_record_at(records) + kVaultEndBytes == size && *end == vault_end(records);
  }

  Result<void> cut_unfinished(std::uint64_t size, std::vector<std::string>& notices) {
    if (size != vault_record_at(records_)) {
      notices.push_back(file_.path().string() + ": unfinished records after record " +
                        std::to_string(records_) + " were cut off; their keys were never used");
      if (Result<void> cut = file_.truncate(vault_record_at(records_)); !cut) return cut;
    }
    if (Result<void> synced = sync_last_block(); !synced) return synced;
    return write_end(records_);
  }

  /// Writes it again first: after a sync that failed the kernel shows what it will never bring to the disk.
  Result<void> sync_last_block() {
    const std::uint64_t from =
        vault_record_at(records_ - std::min<std::uint64_t>(records_, limits::kVaultBlockKeys));
    const Result<Bytes> block =
        file_.read_at(from, static_cast<std::size_t>(vault_record_at(records_) - from));
    if (!block) return tl::unexpected(block.error());
    if (Result<void> written = file_.write_at(from, *block); !written) return written;
    return file_.sync();
  }

  tl::unexpected<Error> damaged(std::uint64_t record) const {
    return fail(ErrorKind::corrupt,
                file_.path().string() + ": record " + std::to_string(record + 1) + " is damaged" + kRestore);
  }

  mutable std::mutex rewriting_;  // taken first: a copy gets its name while no key is destroyed
  mutable std::mutex mutex_;      // the loop mints while queries open entries
  File file_;
  SecretKey master_;
  VaultKeys own_;
  Random& random_;
  std::vector<fs::path> copies_;  // directories
  std::uint64_t records_ = 0;
  std::uint64_t rewritings_ = 0;
  std::unordered_map<KeyId, SecretKey> keys_;
  std::unordered_set<KeyId> destroyed_;
  std::deque<KeyId> spare_;  // minted by this process; an earlier one's leftovers may have been used
  std::optional<File> old_;  // which the newest rewriting has replaced, until that is safe and it is wiped
};

Result<std::unique_ptr<FileVault>> read_vault(const fs::path& path, const SecretKey& master, Random& random,
                                              std::vector<fs::path> copies) {
  Result<File> file = File::open(path);
  if (!file) return tl::unexpected(file.error());
  if (Result<void> locked = file->lock(); !locked) return tl::unexpected(locked.error());
  const Result<Bytes> header = file->read_at(0, kVaultHeaderBytes);
  if (!header) return tl::unexpected(header.error());
  const auto keys = open_vault_header(*header, master, path.string());
  if (!keys) {
    const auto& [kind, text] = keys.error();
    return fail(kind, kind == ErrorKind::corrupt ? text + kRestore : text);
  }
  return std::make_unique<FileVault>(std::move(*file), master, *keys, random, std::move(copies));
}

fs::path next_key_file(const MasterKeySource& master) { return master.file.string() + ".next"; }

/// A change of the master key that was cut short: where the vault has the next key already, that takes the
/// old one's place; else the next one was never used.
Result<std::unique_ptr<FileVault>> finish_change(const fs::path& path, const MasterKeySource& source,
                                                 Result<std::unique_ptr<FileVault>> by_old, Random& random,
                                                 const std::vector<fs::path>& copies,
                                                 std::vector<std::string>& notices) {
  const fs::path next = next_key_file(source);
  std::error_code error;
  if (source.kind != MasterKeySource::Kind::file || !fs::exists(next, error)) return by_old;
  if (!by_old) {
    if (by_old.error().kind != ErrorKind::invalid) return by_old;
    const auto key = read_master_key(next);
    if (!key) return by_old;
    auto by_next = read_vault(path, *key, random, copies);
    if (!by_next) return by_old;
    fs::rename(next, source.file, error);
    if (error) {
      return fail(ErrorKind::unavailable, next.string() + ": cannot be renamed: " + error.message());
    }
    notices.push_back(source.file.string() + ": a change of the master key was cut short and is finished");
    if (auto synced = sync_directory(directory_of(source.file)); !synced)
      return tl::unexpected(synced.error());
    return by_next;
  }
  fs::remove(next, error);
  notices.push_back(next.string() + ": a change of the master key was cut short and has not taken place");
  return by_old;
}

Result<std::unique_ptr<FileVault>> load_vault(const fs::path& path, const MasterKeySource& source,
                                              Random& random, const std::vector<fs::path>& copies,
                                              std::vector<std::string>& notices) {
  const Result<SecretKey> master = read_master_key(source);
  if (!master) return tl::unexpected(master.error());
  auto vault =
      finish_change(path, source, read_vault(path, *master, random, copies), random, copies, notices);
  if (!vault) return vault;
  // A rewriting that was cut short; nobody else has the vault now.
  std::error_code error;
  if (fs::remove(path.string() + kDraft, error)) {
    notices.push_back(path.string() + kDraft + ": left by a rewriting that was cut short, and removed");
  }
  if (Result<void> loaded = (*vault)->load(notices); !loaded) return tl::unexpected(loaded.error());
  return vault;
}

}  // namespace

Result<OpenedVault> open_vault(const fs::path& vault_file, const MasterKeySource& master, Random& random,
                               const std::vector<fs::path>& copies) {
  if (sodium_init() < 0) return fail(ErrorKind::unavailable, "libsodium does not initialise");
  const MasterKeySource source = master.beside(vault_file);
  OpenedVault opened;
  std::error_code error;
  opened.made = !fs::exists(vault_file, error);
  if (source.kind == MasterKeySource::Kind::file && !fs::exists(source.file, error)) {
    if (!opened.made) {
      return fail(ErrorKind::not_found, source.file.string() + ": the master key of the vault " +
                                            vault_file.string() +
                                            " is missing. Put it back from where it is kept safe");
    }
    if (auto key = write_master_key(source.file, draw_key(random)); !key) return tl::unexpected(key.error());
  }
  if (opened.made) {
    const Result<SecretKey> key = read_master_key(source);
    if (!key) return tl::unexpected(key.error());
    const Bytes header = vault_header(*key, {draw_key(random), draw_key(random)}, random);
    if (auto made = write_whole(vault_file, header); !made) return tl::unexpected(made.error());
  }
  auto vault = load_vault(vault_file, source, random, copies, opened.notices);
  if (!vault) return tl::unexpected(vault.error());
  opened.copy = [from = vault->get()](const fs::path& file, const Copied& copied,
                                      const std::function<Result<void>()>& publish) {
    return from->copy(file, copied, publish);
  };
  opened.verify = [from = vault->get()](const std::function<bool()>& stopped) {
    return from->verify(stopped);
  };
  opened.vault = std::move(*vault);
  return opened;
}

Result<void> rotate_master_key(const fs::path& vault_file, const MasterKeySource& master,
                               const fs::path& new_key_file, Random& random) {
  if (sodium_init() < 0) return fail(ErrorKind::unavailable, "libsodium does not initialise");
  const MasterKeySource source = master.beside(vault_file);
  std::vector<std::string> notices;
  auto vault = load_vault(vault_file, source, random, {}, notices);
  if (!vault) return tl::unexpected(vault.error());
  if (source.kind != MasterKeySource::Kind::file) {
    const auto key = read_master_key(new_key_file);
    if (!key) return tl::unexpected(key.error());
    const auto old = read_master_key(source);
    if (!old) return tl::unexpected(old.error());
    if (old->bytes() == key->bytes()) {
      return fail(ErrorKind::conflict, new_key_file.string() + ": it holds the key that is in use");
    }
    return (*vault)->change_master(*key);
  }
  const SecretKey key = draw_key(random);
  const fs::path next = next_key_file(source);
  if (auto written = write_master_key(next, key); !written) return written;
  if (auto changed = (*vault)->change_master(key); !changed) return changed;
  std::error_code error;
  fs::rename(next, source.file, error);
  if (error) {
    return fail(ErrorKind::unavailable,
                next.string() + ": cannot be renamed: " + error.message() + ". The next start does it");
  }
  return sync_directory(directory_of(source.file));
}

}  // namespace carehub::storage
