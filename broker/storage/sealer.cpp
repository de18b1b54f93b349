#include "broker/storage/sealer.hpp"

#include <sodium.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>

#include "broker/base/fault.hpp"
#include "broker/base/limits.hpp"
#include "broker/storage/little_endian.hpp"

namespace carehub::storage {
namespace {

constexpr std::size_t kCompressFromBytes = 256;
constexpr std::size_t kBodyBytesMax = limits::kBatchBytesMax - 1024;
constexpr int kCompressionLevel = -1;
constexpr std::size_t kPrefixBytes = 16;

static_assert(kNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

[[noreturn]] void stop(const char* why) {
  static_cast<void>(std::fputs(why, stderr));
  std::abort();
}

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

Bytes compress(BytesView plain) {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  Bytes packed(ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), packed.data(), packed.size(), plain.data(),
                                             plain.size(), kCompressionLevel);
  if (ZSTD_isError(size) != 0U) stop("storage: zstd cannot compress into a buffer of its own bound\n");
  packed.resize(size);
  return packed;
}

Result<Bytes> decompress(BytesView packed, std::size_t bytes_max) {
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return fail(ErrorKind::corrupt, "compressed bytes are not a zstd frame with a declared size");
  }
  if (size > bytes_max) {
    return fail(ErrorKind::corrupt, "compressed bytes declare a size of " + std::to_string(size) +
                                        " bytes, over the limit of " + std::to_string(bytes_max));
  }
  if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size()) {
    return fail(ErrorKind::corrupt, "compressed bytes are cut short or have more behind them");
  }
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  Bytes plain(static_cast<std::size_t>(size));
  const std::size_t written =
      ZSTD_decompressDCtx(context.get(), plain.data(), plain.size(), packed.data(), packed.size());
  if (ZSTD_isError(written) != 0U || written != plain.size()) {
    return fail(ErrorKind::corrupt, "compressed bytes do not decompress to their declared size");
  }
  return plain;
}

Sealer::Sealer(Vault& vault, Random& random) : vault_(vault), random_(random) {
  if (sodium_init() < 0) stop("storage: libsodium does not initialise\n");
}

void Sealer::begin_batch() {
  random_.fill(prefix_);
  counter_ = 1;
}

Result<SealedEntry> Sealer::seal(EntryKind kind, const KeyId& key_id, Sequence sequence,
                                 Timestamp appended_at, BytesView body) {
  if (counter_ == 0) stop("storage: Sealer::seal before begin_batch would repeat a nonce\n");
  if (body.size() > kBodyBytesMax) {
    return fail(ErrorKind::invalid, "the body of ledger entry " + std::to_string(sequence) + " has " +
                                        std::to_string(body.size()) + " bytes, over the limit of " +
                                        std::to_string(kBodyBytesMax));
  }
  const Result<SecretKey> key = vault_.key(key_id);
  if (!key) return tl::unexpected(key.error());

  SealedEntry entry;
  Bytes packed;
  BytesView plain = body;
  if (body.size() > kCompressFromBytes) {
    packed = compress(body);
    if (packed.size() < body.size()) {
      plain = packed;
      entry.header.codec = Codec::zstd;
    }
  }
  entry.header.kind = kind;
  entry.header.length = static_cast<std::uint32_t>(plain.size() + kTagBytes);
  entry.header.sequence = sequence;
  entry.header.appended_at = appended_at;
  entry.header.key_id = key_id;
  std::copy(prefix_.begin(), prefix_.end(), entry.nonce.begin());
  put_little(&entry.nonce[kPrefixBytes], counter_++);

  const auto clear = clear_bytes(entry.header);
  entry.ciphertext.resize(entry.header.length);
  crypto_aead_xchacha20poly1305_ietf_encrypt(entry.ciphertext.data(), nullptr, plain.data(), plain.size(),
                                             clear.data(), clear.size(), nullptr, entry.nonce.data(),
                                             key->bytes().data());
  entry.leaf = leaf_hash(entry.header, entry.nonce, entry.ciphertext);
  return entry;
}

void Sealer::withdraw(const std::vector<KeyId>& ids) {
  if (kFault == Fault::shows_what_is_erased) return;
  const std::unique_lock lock(mutex_);
  std::ranges::copy_if(ids, std::inserter(withdrawn_, withdrawn_.end()),
                       [&](const KeyId& id) { return vault_.key(id).has_value(); });
  any_withdrawn_ = !withdrawn_.empty();
}

bool Sealer::withdrawn(const KeyId& id) const {
  if (!any_withdrawn_) return false;
  const std::shared_lock lock(mutex_);
  return withdrawn_.contains(id);
}

Result<Bytes> Sealer::open(const SealedEntry& entry) const {
  if (withdrawn(entry.header.key_id)) {
    return fail(ErrorKind::not_found,
                "ledger entry " + std::to_string(entry.header.sequence) + ": it has been erased");
  }
  return open_withdrawn(entry);
}

Result<Bytes> Sealer::open_withdrawn(const SealedEntry& entry) const {
  const std::string name = "ledger entry " + std::to_string(entry.header.sequence);
  const Result<SecretKey> key = vault_.key(entry.header.key_id);
  if (!key) return fail(key.error().kind, name + ": " + key.error().text);
  if (entry.ciphertext.size() < kTagBytes) return fail(ErrorKind::corrupt, name + " is cut short");
  const auto clear = clear_bytes(entry.header);
  Bytes plain(entry.ciphertext.size() - kTagBytes);
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain.data(), nullptr, nullptr, entry.ciphertext.data(), entry.ciphertext.size(), clear.data(),
      clear.size(), entry.nonce.data(), key->bytes().data());
  if (opened != 0) {
    return fail(ErrorKind::corrupt,
                name + " does not open under its key. Do the ledger and the vault belong together?");
  }
  if (entry.header.codec == Codec::none) return plain;
  Result<Bytes> body = decompress(plain, kBodyBytesMax);
  if (!body) return fail(ErrorKind::corrupt, name + ": " + body.error().text);
  return body;
}

Result<std::string> Sealer::seal_row(const KeyId& key_id, std::string_view name,
                                     std::string_view plain) const {
  const auto key = vault_.key(key_id);
  if (!key) return tl::unexpected(key.error());
  std::string named("row:");
  named.append(std::to_string(name.size())).append(":").append(name).append(plain);
  const auto nonce = keyed_fingerprint(vault_.index_key(), bytes_of(named));
  static_assert(std::tuple_size_v<std::decay_t<decltype(nonce)>> >= kNonceBytes);
  std::string sealed(kNonceBytes + plain.size() + kTagBytes, '\0');
  std::copy_n(nonce.begin(), kNonceBytes, sealed.begin());
  const auto aad = bytes_of(name);
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<std::uint8_t*>(&sealed[kNonceBytes]), nullptr,
                                             bytes_of(plain).data(), plain.size(), aad.data(), aad.size(),
                                             nullptr, nonce.data(), key->bytes().data());
  return sealed;
}

Result<std::string> Sealer::open_row(const KeyId& key_id, std::string_view name,
                                     std::string_view sealed) const {
  if (withdrawn(key_id)) return fail(ErrorKind::not_found, "a row of the state: its person has been erased");
  const auto key = vault_.key(key_id);
  if (!key) return fail(key.error().kind, "a row of the state: " + key.error().text);
  if (sealed.size() < kNonceBytes + kTagBytes)
    return fail(ErrorKind::corrupt, "a row of the state is cut short: run carehub rebuild");
  std::string plain(sealed.size() - kNonceBytes - kTagBytes, '\0');
  const auto bytes = bytes_of(sealed);
  const auto aad = bytes_of(name);
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<std::uint8_t*>(plain.data()), nullptr, nullptr, &bytes[kNonceBytes],
      bytes.size() - kNonceBytes, aad.data(), aad.size(), bytes.data(), key->bytes().data());
  if (opened != 0)
    return fail(ErrorKind::corrupt, "a row of the state does not open under its key: run carehub rebuild");
  return plain;
}

}  // namespace carehub::storage
