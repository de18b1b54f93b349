#include "broker/storage/vault_format.hpp"

#include <sodium.h>

#include <algorithm>

#include "broker/storage/little_endian.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {
namespace {

constexpr std::string_view kMagic = "CHUBVLT1";
constexpr std::uint32_t kVersion = 2;       // has destroyed keys
constexpr std::uint32_t kVersionFirst = 1;  // is read as well
constexpr std::size_t kPreambleBytes = 16;
constexpr std::size_t kVaultKeyAt = kPreambleBytes;
constexpr std::size_t kIndexKeyAt = kVaultKeyAt + kWrappedBytes;
constexpr std::size_t kChecksumAt = kIndexKeyAt + kWrappedBytes;
constexpr std::string_view kEndMagic = "CHUBVEND";

/// nonce || ciphertext || tag
Bytes wrap(const SecretKey& under, const SecretKey& key, BytesView place, Random& random) {
  Bytes out(kWrappedBytes);
  random.fill(std::span(out).first(kVaultNonceBytes));
  crypto_aead_xchacha20poly1305_ietf_encrypt(&out[kVaultNonceBytes], nullptr, key.bytes().data(),
                                             kVaultKeyBytes, place.data(), place.size(), nullptr, out.data(),
                                             under.bytes().data());
  return out;
}

std::optional<SecretKey> unwrap(const SecretKey& under, BytesView wrapped, BytesView place) {
  std::array<std::uint8_t, kVaultKeyBytes> bytes{};
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes.data(), nullptr, nullptr, &wrapped[kVaultNonceBytes], kWrappedBytes - kVaultNonceBytes,
      place.data(), place.size(), wrapped.data(), under.bytes().data());
  if (opened != 0) return std::nullopt;
  SecretKey key(bytes);
  sodium_memzero(bytes.data(), bytes.size());
  return key;
}

/// A record opens only under its own id and at its own place.
Bytes record_place(const KeyId& id, std::uint64_t record) {
  Bytes place(id.bytes.begin(), id.bytes.end());
  place.resize(sizeof id + sizeof record);
  put_little(&place[sizeof id], record);
  return place;
}

}  // namespace

Bytes vault_header(const SecretKey& master, const VaultKeys& keys, Random& random) {
  Bytes header(kPreambleBytes);
  std::copy(kMagic.begin(), kMagic.end(), header.begin());
  put_little(&header[kMagic.size()], kVersion);
  put_little(&header[kMagic.size() + sizeof kVersion], static_cast<std::uint32_t>(kVaultRecordBytes));
  const Bytes preamble = header;
  for (const Bytes& part :
       {wrap(master, keys.vault, preamble, random), wrap(keys.vault, keys.index, preamble, random)}) {
    header.insert(header.end(), part.begin(), part.end());
  }
  const Hash checksum = sha256({header});
  header.insert(header.end(), checksum.begin(), checksum.end());
  return header;
}

bool is_vault(BytesView header) {
  return header.size() >= kVaultHeaderBytes && text_of(header.first(kMagic.size())) == kMagic;
}

Result<VaultKeys> open_vault_header(BytesView header, const SecretKey& master, const std::string& file) {
  if (!is_vault(header)) return fail(ErrorKind::corrupt, file + ": the header is not a vault's");
  const Hash checksum = sha256({header.first(kChecksumAt)});
  if (!std::equal(checksum.begin(), checksum.end(), header.begin() + kChecksumAt)) {
    return fail(ErrorKind::corrupt, file + ": the header is damaged");
  }
  const auto version = get_little<std::uint32_t>(&header[kMagic.size()]);
  if (version < kVersionFirst || version > kVersion ||
      get_little<std::uint32_t>(&header[kMagic.size() + sizeof kVersion]) != kVaultRecordBytes) {
    return fail(ErrorKind::invalid, file + ": written by a newer hub. Use that version");
  }
  const BytesView preamble = header.first(kPreambleBytes);
  const auto vault_key = unwrap(master, header.subspan(kVaultKeyAt, kWrappedBytes), preamble);
  if (!vault_key) {
    return fail(ErrorKind::invalid, file +
                                        ": the master key does not open this vault. Put back the master key "
                                        "that belongs to it");
  }
  const auto index_key = unwrap(*vault_key, header.subspan(kIndexKeyAt, kWrappedBytes), preamble);
  if (!index_key) return fail(ErrorKind::corrupt, file + ": the index key is damaged");
  return VaultKeys{*vault_key, *index_key};
}

Bytes vault_record(const SecretKey& vault_key, const KeyId& id, const SecretKey* key, std::uint64_t record,
                   Random& random) {
  static const SecretKey destroyed;
  Bytes bytes(id.bytes.begin(), id.bytes.end());
  const Bytes wrapped = wrap(vault_key, key == nullptr ? destroyed : *key, record_place(id, record), random);
  bytes.insert(bytes.end(), wrapped.begin(), wrapped.end());
  return bytes;
}

KeyId vault_record_id(BytesView bytes) {
  KeyId id;
  std::copy_n(bytes.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

std::optional<VaultRecord> open_vault_record(const SecretKey& vault_key, BytesView bytes,
                                             std::uint64_t record) {
  VaultRecord opened{vault_record_id(bytes), std::nullopt};
  const auto key = unwrap(vault_key, bytes.subspan(sizeof(KeyId)), record_place(opened.id, record));
  if (!key) return std::nullopt;
  if (sodium_is_zero(key->bytes().data(), kVaultKeyBytes) == 0) opened.key = *key;
  return opened;
}

Bytes vault_end(std::uint64_t records) {
  Bytes end(kEndMagic.begin(), kEndMagic.end());
  end.resize(kVaultEndBytes);
  put_little(&end[kEndMagic.size()], records);
  return end;
}

}  // namespace carehub::storage
