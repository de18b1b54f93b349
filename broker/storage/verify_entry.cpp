#include "broker/storage/verify_entry.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "broker/base/assert.hpp"

namespace carehub::storage::verify {
namespace {

// The layout of README.md, written down a second time on purpose.
constexpr std::size_t kClear = 40;
constexpr std::size_t kNonce = 24;
constexpr std::size_t kHash = 32;
constexpr std::size_t kTag = 16;
constexpr std::size_t kBefore = kClear + kNonce + kHash;
constexpr std::uint8_t kKindLast = 15;
constexpr std::uint8_t kCodecLast = 1;

std::uint64_t little(BytesView bytes) {
  std::uint64_t value = 0;
  for (std::size_t at = bytes.size(); at-- > 0;) value = (value << 8U) | bytes[at];
  return value;
}

tl::unexpected<Error> damaged(Sequence sequence, const char* what) {
  return fail(ErrorKind::corrupt, "entry " + std::to_string(sequence) + ": " + what);
}

}  // namespace

struct Hasher::Context {
  EVP_MD_CTX* state = EVP_MD_CTX_new();
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ~Context() {
    EVP_MD_CTX_free(state);
    EVP_MD_free(algorithm);
  }
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

Hasher::Hasher() : context_(std::make_unique<Context>()) {}
Hasher::~Hasher() = default;

Hash Hasher::of(BytesView one, BytesView two, BytesView three) const {
  Hash out{};
  EVP_MD_CTX* state = context_->state;
  const bool good = EVP_DigestInit_ex2(state, context_->algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(state, one.data(), one.size()) == 1 &&
                    EVP_DigestUpdate(state, two.data(), two.size()) == 1 &&
                    EVP_DigestUpdate(state, three.data(), three.size()) == 1 &&
                    EVP_DigestFinal_ex(state, out.data(), nullptr) == 1;
  CAREHUB_ASSERT(good, "OpenSSL gives SHA-256");
  return out;
}

Hash Hasher::node(const Hash& left, const Hash& right) const {
  std::array<std::uint8_t, 1 + 2 * kHash> bytes{};
  bytes[0] = 0x01;
  std::copy(left.begin(), left.end(), bytes.begin() + 1);
  std::copy(right.begin(), right.end(), bytes.begin() + 1 + kHash);
  return of(bytes);
}

Result<EntryFacts> entry(const Hasher& hasher, BytesView stored, Sequence sequence) {
  if (stored.size() < kBefore + kTag) return damaged(sequence, "it is cut short");
  if (stored[0] != 1) return damaged(sequence, "its format version is unknown");
  if (stored[1] == 0 || stored[1] > kKindLast) return damaged(sequence, "its kind is unknown");
  if (stored[2] > kCodecLast || stored[3] != 0) return damaged(sequence, "its codec is unknown");
  if (little(stored.subspan(4, 4)) != stored.size() - kBefore) return damaged(sequence, "its length differs");
  if (little(stored.subspan(8, 8)) != sequence) return damaged(sequence, "it carries another sequence");
  EntryFacts facts;
  facts.appended_at_us = static_cast<std::int64_t>(little(stored.subspan(16, 8)));
  const Hash sealed = hasher.of(stored.subspan(kClear, kNonce), stored.subspan(kBefore));
  std::copy_n(stored.begin(), kClear, facts.leaf_data.begin());
  std::copy(sealed.begin(), sealed.end(), facts.leaf_data.begin() + kClear);
  std::array<std::uint8_t, 1 + kClear + kHash> leaf{};
  std::copy(facts.leaf_data.begin(), facts.leaf_data.end(), leaf.begin() + 1);
  facts.leaf = hasher.of(leaf);
  if (!std::equal(facts.leaf.begin(), facts.leaf.end(), stored.begin() + kClear + kNonce)) {
    return damaged(sequence, "its hash does not match its bytes");
  }
  return facts;
}

Hash GrowingTree::perfect(const std::vector<Hash>& row, std::size_t first, std::size_t count) const {
  std::array<Hash, kWidth> hashes{};
  std::copy_n(row.begin() + static_cast<std::ptrdiff_t>(first), count, hashes.begin());
  for (; count > 1; count /= 2) {
    for (std::size_t at = 0; at < count / 2; ++at)
      hashes[at] = hasher_.node(hashes[2 * at], hashes[2 * at + 1]);
  }
  return hashes[0];
}

Hash GrowingTree::root() const {
  if (size_ == 0) return hasher_.of({});
  Hash root{};
  bool any = false;
  for (const std::vector<Hash>& row : rows_) {  // the smallest subtrees, furthest right, first
    std::size_t end = row.size();
    for (std::size_t width = 1; width <= end; width *= 2) {
      if ((end & width) == 0) continue;
      end -= width;
      const Hash subtree = perfect(row, end, width);
      root = any ? hasher_.node(subtree, root) : subtree;
      any = true;
    }
  }
  return root;
}

}  // namespace carehub::storage::verify
