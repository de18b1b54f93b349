#include "broker/storage/file_vault.hpp"

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "broker/base/limits.hpp"
#include "broker/storage/file.hpp"
#include "broker/storage/little_endian.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "CHUBVLT1";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVaultNonceBytes = 24;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kWrappedBytes = kVaultNonceBytes + kKeyBytes + 16;
constexpr std::size_t kRecordBytes = sizeof(KeyId) + kWrappedBytes;
constexpr std::size_t kPreambleBytes = 16;
constexpr std::size_t kVaultKeyAt = kPreambleBytes;
constexpr std::size_t kIndexKeyAt = kVaultKeyAt + kWrappedBytes;
constexpr std::size_t kChecksumAt = kIndexKeyAt + kWrappedBytes;
constexpr std::size_t kHeaderBytes = kChecksumAt + sizeof(Hash);
constexpr std::string_view kEndMagic = "CHUBVEND";
constexpr std::size_t kEndBytes = 16;
constexpr std::uint64_t kBlockBytes = limits::kVaultBlockKeys * kRecordBytes;
constexpr std::size_t kReadBytes = kRecordBytes * 8192;

SecretKey draw(Random& random) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  random.fill(bytes);
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

/// nonce || ciphertext || tag
Bytes wrap(const SecretKey& under, const SecretKey& key, BytesView place, Random& random) {
  Bytes out(kWrappedBytes);
  random.fill(std::span(out).first(kVaultNonceBytes));
  crypto_aead_xchacha20poly1305_ietf_encrypt(&out[kVaultNonceBytes], nullptr, key.bytes().data(), kKeyBytes,
                                             place.data(), place.size(), nullptr, out.data(),
                                             under.bytes().data());
  return out;
}

std::optional<SecretKey> unwrap(const SecretKey& under, BytesView wrapped, BytesView place) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes.data(), nullptr, nullptr, &wrapped[kVaultNonceBytes], kWrappedBytes - kVaultNonceBytes,
      place.data(), place.size(), wrapped.data(), under.bytes().data());
  if (opened != 0) return std::nullopt;
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

/// Stands behind the last record once all of them are synced.
Bytes end_of(std::uint64_t records) {
  Bytes end(kEndMagic.begin(), kEndMagic.end());
  end.resize(kEndBytes);
  put_little(&end[kEndMagic.size()], records);
  return end;
}

/// A record opens only under its own id and at its own place.
Bytes record_place(const KeyId& id, std::uint64_t record) {
  Bytes place(id.bytes.begin(), id.bytes.end());
  place.resize(sizeof id + sizeof record);
  put_little(&place[sizeof id], record);
  return place;
}

class FileVault final : public Vault {
 public:
  FileVault(File file, const SecretKey& vault_key, const SecretKey& index_key, Random& random)
      : file_(std::move(file)), vault_key_(vault_key), index_key_(index_key), random_(random) {}

  Result<KeyId> mint() override {
    const std::lock_guard lock(mutex_);
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
    if (found == keys_.end()) {
      return fail(ErrorKind::not_found,
                  file_.path().string() + ": no such key: it was destroyed or never minted");
    }
    return found->second;
  }

  const SecretKey& index_key() const override { return index_key_; }

  /// Reads all records; cuts off a block that was not finished.
  Result<void> load(std::vector<std::string>& notices) {
    const Result<std::uint64_t> size = file_.size();
    if (!size) return tl::unexpected(size.error());
    const Result<bool> is_finished = finished(*size);
    if (!is_finished) return tl::unexpected(is_finished.error());
    std::uint64_t whole = (*size - kHeaderBytes) / kRecordBytes;
    while (records_ < whole) {
      const Result<Bytes> chunk = file_.read_at(place_of(records_), kReadBytes);
      if (!chunk) return tl::unexpected(chunk.error());
      const std::uint64_t before = records_;
      for (BytesView rest = *chunk; rest.size() >= kRecordBytes; rest = rest.subspan(kRecordBytes)) {
        if (!load_record(rest.first(kRecordBytes))) break;
      }
      if (records_ - before < chunk->size() / kRecordBytes) {
        // Of a block that was not finished any part may have reached the disk; elsewhere this is damage.
        if (*is_finished || *size - place_of(records_) > kBlockBytes) return damaged(records_);
        whole = records_;
      }
    }
    return *is_finished ? Result<void>() : cut_unfinished(*size, notices);
  }

 private:
  static std::uint64_t place_of(std::uint64_t record) { return kHeaderBytes + record * kRecordBytes; }

  Result<void> mint_block() {
    Bytes block;
    std::vector<std::pair<KeyId, SecretKey>> minted;
    for (std::uint64_t at = 0; at < limits::kVaultBlockKeys; ++at) {
      KeyId id;
      random_.fill(id.bytes);
      const SecretKey key = draw(random_);
      const Bytes wrapped = wrap(vault_key_, key, record_place(id, records_ + at), random_);
      block.insert(block.end(), id.bytes.begin(), id.bytes.end());
      block.insert(block.end(), wrapped.begin(), wrapped.end());
      minted.emplace_back(id, key);
    }
    // A block that failed halfway is written over by the next attempt: no key of it was handed out.
    Result<void> safe = file_.write_at(place_of(records_), block);
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

  bool load_record(BytesView record) {
    KeyId id;
    std::copy_n(record.begin(), id.bytes.size(), id.bytes.begin());
    const auto key = unwrap(vault_key_, record.subspan(sizeof id), record_place(id, records_));
    if (!key) return false;
    keys_.insert_or_assign(id, *key);
    ++records_;
    return true;
  }

  /// Written after the sync, so where it is found the records before it were durable. Not synced itself: when
  /// it is lost the hub starts all the same.
  Result<void> write_end(std::uint64_t records) { return file_.write_at(place_of(records), end_of(records)); }

  Result<bool> finished(std::uint64_t size) const {
    if (size < kHeaderBytes + kEndBytes) return false;
    const Result<Bytes> end = file_.read_at(size - kEndBytes, kEndBytes);
    if (!end) return tl::unexpected(end.error());
    const std::uint64_t records = (size - kEndBytes - kHeaderBytes) / kRecordBytes;
    return place_of(records) + kEndBytes == size && *end == end_of(records);
  }

  Result<void> cut_unfinished(std::uint64_t size, std::vector<std::string>& notices) {
    if (size != place_of(records_)) {
      notices.push_back(file_.path().string() + ": unfinished records after record " +
                        std::to_string(records_) + " were cut off; their keys were never used");
      if (Result<void> cut = file_.truncate(place_of(records_)); !cut) return cut;
    }
    if (Result<void> synced = sync_last_block(); !synced) return synced;
    return write_end(records_);
  }

  /// Writes it again first: after a sync that failed the kernel shows what it will never bring to the disk.
  Result<void> sync_last_block() {
    const std::uint64_t from =
        place_of(records_ - std::min<std::uint64_t>(records_, limits::kVaultBlockKeys));
    const Result<Bytes> block = file_.read_at(from, static_cast<std::size_t>(place_of(records_) - from));
    if (!block) return tl::unexpected(block.error());
    if (Result<void> written = file_.write_at(from, *block); !written) return written;
    return file_.sync();
  }

  tl::unexpected<Error> damaged(std::uint64_t record) const {
    return fail(ErrorKind::corrupt, file_.path().string() + ": record " + std::to_string(record + 1) +
                                        " is damaged. Restore the vault from its backup");
  }

  mutable std::mutex mutex_;  // the loop mints while queries open entries
  File file_;
  SecretKey vault_key_;
  SecretKey index_key_;
  Random& random_;
  std::uint64_t records_ = 0;
  std::unordered_map<KeyId, SecretKey> keys_;
  std::deque<KeyId> spare_;  // minted by this process; an earlier one's leftovers may have been used
};

Result<void> write_new(const fs::path& path, BytesView bytes) {
  // Made under another name first: a file that is there is whole.
  const fs::path draft = path.string() + ".new";
  std::error_code error;
  fs::remove(draft, error);
  Result<File> file = File::create(draft);
  if (!file) return tl::unexpected(file.error());
  Result<void> put = file->write_at(0, bytes);
  if (put) put = file->sync();
  if (!put) return put;
  fs::rename(draft, path, error);
  if (error) return fail(ErrorKind::unavailable, path.string() + ": cannot create: " + error.message());
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<SecretKey> read_master_key(const fs::path& path) {
  Result<File> file = File::open_to_read(path);
  if (!file) return tl::unexpected(file.error());
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & 077U) != 0) {
    return fail(ErrorKind::invalid,
                path.string() + ": others may read the master key. Close it: chmod 600 " + path.string());
  }
  constexpr std::size_t kHexCharacters = 2 * kKeyBytes;
  Result<Bytes> text = file->read_at(0, kHexCharacters + 2);
  if (!text) return tl::unexpected(text.error());
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  std::array<std::uint8_t, kKeyBytes> bytes{};
  std::size_t decoded = 0;
  const std::string_view hex = text_of(*text);
  const int parsed =
      sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &decoded, nullptr);
  const bool good = parsed == 0 && decoded == kKeyBytes && text->size() == kHexCharacters;
  sodium_memzero(text->data(), text->size());
  if (!good) {
    return fail(ErrorKind::invalid, path.string() +
                                        ": the master key must be 64 hexadecimal characters. Restore it "
                                        "from where it is kept safe");
  }
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

Result<void> make_master_key(const fs::path& path, Random& random) {
  std::string hex = to_hex(draw(random).bytes()) + "\n";
  Result<void> written = write_new(path, bytes_of(hex));
  sodium_memzero(hex.data(), hex.size());
  return written;
}

Result<void> make_vault(const fs::path& path, const SecretKey& master, Random& random) {
  Bytes header(kPreambleBytes);
  std::copy(kMagic.begin(), kMagic.end(), header.begin());
  put_little(&header[kMagic.size()], kVersion);
  put_little(&header[kMagic.size() + sizeof kVersion], static_cast<std::uint32_t>(kRecordBytes));
  const Bytes preamble = header;
  const SecretKey vault_key = draw(random);
  for (const Bytes& part :
       {wrap(master, vault_key, preamble, random), wrap(vault_key, draw(random), preamble, random)}) {
    header.insert(header.end(), part.begin(), part.end());
  }
  const Hash checksum = sha256({header});
  header.insert(header.end(), checksum.begin(), checksum.end());
  return write_new(path, header);
}

Result<std::unique_ptr<FileVault>> read_vault(const fs::path& path, const SecretKey& master, Random& random) {
  Result<File> file = File::open(path);
  if (!file) return tl::unexpected(file.error());
  if (Result<void> locked = file->lock(); !locked) return tl::unexpected(locked.error());
  const Result<Bytes> read = file->read_at(0, kHeaderBytes);
  if (!read) return tl::unexpected(read.error());
  const BytesView header = *read;
  const std::string restore = ". Restore the vault from its backup";
  if (header.size() < kHeaderBytes || text_of(header.first(kMagic.size())) != kMagic) {
    return fail(ErrorKind::corrupt, path.string() + ": the header is not a vault's" + restore);
  }
  const Hash checksum = sha256({header.first(kChecksumAt)});
  if (!std::equal(checksum.begin(), checksum.end(), header.begin() + kChecksumAt)) {
    return fail(ErrorKind::corrupt, path.string() + ": the header is damaged" + restore);
  }
  if (get_little<std::uint32_t>(&header[kMagic.size()]) != kVersion ||
      get_little<std::uint32_t>(&header[kMagic.size() + sizeof kVersion]) != kRecordBytes) {
    return fail(ErrorKind::invalid, path.string() + ": written by a newer hub. Use that version");
  }
  const BytesView preamble = header.first(kPreambleBytes);
  const auto vault_key = unwrap(master, header.subspan(kVaultKeyAt, kWrappedBytes), preamble);
  if (!vault_key) {
    return fail(ErrorKind::invalid, path.string() +
                                        ": the master key does not open this vault. Put back the master key "
                                        "that belongs to it");
  }
  const auto index_key = unwrap(*vault_key, header.subspan(kIndexKeyAt, kWrappedBytes), preamble);
  if (!index_key) return fail(ErrorKind::corrupt, path.string() + ": the index key is damaged" + restore);
  return std::make_unique<FileVault>(std::move(*file), *vault_key, *index_key, random);
}

}  // namespace

Result<OpenedVault> open_vault(const fs::path& vault_file, const fs::path& master_key_file, Random& random) {
  if (sodium_init() < 0) return fail(ErrorKind::unavailable, "libsodium does not initialise");
  OpenedVault opened;
  std::error_code error;
  opened.made = !fs::exists(vault_file, error);
  if (!fs::exists(master_key_file, error)) {
    if (!opened.made) {
      return fail(ErrorKind::not_found, master_key_file.string() + ": the master key of the vault " +
                                            vault_file.string() +
                                            " is missing. Put it back from where it is kept safe");
    }
    if (Result<void> key = make_master_key(master_key_file, random); !key) return tl::unexpected(key.error());
  }
  const Result<SecretKey> master = read_master_key(master_key_file);
  if (!master) return tl::unexpected(master.error());
  if (opened.made) {
    if (Result<void> vault = make_vault(vault_file, *master, random); !vault) {
      return tl::unexpected(vault.error());
    }
  }
  Result<std::unique_ptr<FileVault>> vault = read_vault(vault_file, *master, random);
  if (!vault) return tl::unexpected(vault.error());
  if (Result<void> loaded = (*vault)->load(opened.notices); !loaded) return tl::unexpected(loaded.error());
  opened.vault = std::move(*vault);
  return opened;
}

}  // namespace carehub::storage
