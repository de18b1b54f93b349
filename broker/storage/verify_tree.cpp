#include "broker/storage/verify_tree.hpp"

#include <sodium.h>

#include <algorithm>

namespace carehub::storage::verify {
namespace {

constexpr std::size_t kHashBytes = 32;

Hash hashed(std::uint8_t prefix, BytesView left, BytesView right) {
  crypto_hash_sha256_state state;
  Hash out{};
  crypto_hash_sha256_init(&state);
  crypto_hash_sha256_update(&state, &prefix, 1);
  crypto_hash_sha256_update(&state, left.data(), left.size());
  crypto_hash_sha256_update(&state, right.data(), right.size());
  crypto_hash_sha256_final(&state, out.data());
  return out;
}

bool same(BytesView one, BytesView other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end());
}

Result<void> refuse(const std::string& why) {
  return fail(ErrorKind::invalid, "the proof does not hold: " + why);
}

Result<void> check_lengths(std::span<const Bytes> proof, BytesView one, BytesView other) {
  const bool good =
      one.size() == kHashBytes && other.size() == kHashBytes &&
      std::all_of(proof.begin(), proof.end(), [](const Bytes& hash) { return hash.size() == kHashBytes; });
  return good ? Result<void>() : refuse("a hash of it is not 32 bytes long");
}

}  // namespace

Hash leaf_of(BytesView data) { return hashed(0x00, data, {}); }

Result<void> inclusion(std::uint64_t index, std::uint64_t size, BytesView leaf, std::span<const Bytes> proof,
                       BytesView root) {
  if (auto lengths = check_lengths(proof, leaf, root); !lengths) return lengths;
  if (index >= size) return refuse("its index is beyond the tree");
  std::uint64_t node = index;
  std::uint64_t last = size - 1;
  Hash hash{};
  std::copy(leaf.begin(), leaf.end(), hash.begin());
  for (const Bytes& sibling : proof) {
    if (last == 0) return refuse("it has more hashes than the tree is high");
    if ((node & 1U) != 0 || node == last) {
      hash = hashed(0x01, sibling, hash);
      while ((node & 1U) == 0 && node != 0) {  // a right edge without a sibling is lifted
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      hash = hashed(0x01, hash, sibling);
    }
    node >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return refuse("hashes of it are missing");
  return same(hash, root) ? Result<void>() : refuse("it leads to another root");
}

Result<void> consistency(std::uint64_t earlier, std::uint64_t later, std::span<const Bytes> proof,
                         BytesView earlier_root, BytesView later_root) {
  if (auto lengths = check_lengths(proof, earlier_root, later_root); !lengths) return lengths;
  if (earlier > later) return refuse("the earlier tree is the larger one");
  if (earlier == 0 || earlier == later) {
    if (!proof.empty()) return refuse("it has hashes where none are needed");
    Hash nothing{};
    crypto_hash_sha256(nothing.data(), nullptr, 0);
    if (earlier == 0 && !same(earlier_root, nothing)) return refuse("the empty tree has another root");
    if (earlier == later && !same(earlier_root, later_root)) {
      return refuse("two trees of one size have different roots");
    }
    return {};
  }
  std::uint64_t node = earlier - 1;
  std::uint64_t last = later - 1;
  while ((node & 1U) != 0) {
    node >>= 1U;
    last >>= 1U;
  }
  // Where the earlier tree is perfect, its root begins the path; it is not part of the proof.
  std::size_t at = 0;
  Hash old_hash{};
  if (node == 0) {
    std::copy(earlier_root.begin(), earlier_root.end(), old_hash.begin());
  } else {
    if (proof.empty()) return refuse("hashes of it are missing");
    std::copy(proof[0].begin(), proof[0].end(), old_hash.begin());
    at = 1;
  }
  Hash new_hash = old_hash;
  for (; at < proof.size(); ++at) {
    if (last == 0) return refuse("it has more hashes than the tree is high");
    if ((node & 1U) != 0 || node == last) {
      old_hash = hashed(0x01, proof[at], old_hash);
      new_hash = hashed(0x01, proof[at], new_hash);
      while ((node & 1U) == 0 && node != 0) {
        node >>= 1U;
        last >>= 1U;
      }
    } else {
      new_hash = hashed(0x01, new_hash, proof[at]);
    }
    node >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return refuse("hashes of it are missing");
  if (!same(old_hash, earlier_root)) return refuse("it leads to another root of the earlier tree");
  return same(new_hash, later_root) ? Result<void>() : refuse("it leads to another root of the later tree");
}

}  // namespace carehub::storage::verify
