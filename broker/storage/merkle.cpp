#include "broker/storage/merkle.hpp"

#include <algorithm>
#include <bit>

#include "broker/base/assert.hpp"
#include "broker/storage/little_endian.hpp"
#include "broker/storage/sha256.hpp"

namespace carehub::storage {

Hash node_hash(const Hash& left, const Hash& right) {
  constexpr std::uint8_t kNodePrefix = 0x01;
  return sha256({BytesView(&kNodePrefix, 1), left, right});
}

MerkleFrontier MerkleFrontier::of(std::uint64_t size, std::vector<Hash> peaks) {
  CAREHUB_ASSERT(peaks.size() == static_cast<std::size_t>(std::popcount(size)), "a peak for each one-bit");
  MerkleFrontier frontier;
  frontier.size_ = size;
  frontier.peaks_ = std::move(peaks);
  return frontier;
}

Hash MerkleFrontier::root() const {
  if (peaks_.empty()) return sha256({});
  Hash root = peaks_.back();
  for (std::size_t at = peaks_.size() - 1; at > 0; --at) root = node_hash(peaks_[at - 1], root);
  return root;
}

Bytes MerkleFrontier::serialise() const {
  Bytes out(sizeof size_ + peaks_.size() * sizeof(Hash));
  put_little(out.data(), size_);
  auto at = out.begin() + sizeof size_;
  for (const Hash& peak : peaks_) at = std::copy(peak.begin(), peak.end(), at);
  return out;
}

Result<MerkleFrontier> MerkleFrontier::parse(BytesView bytes) {
  MerkleFrontier frontier;
  if (bytes.size() < sizeof frontier.size_) return fail(ErrorKind::corrupt, "a Merkle frontier is cut short");
  frontier.size_ = get_little<std::uint64_t>(bytes.data());
  bytes = bytes.subspan(sizeof frontier.size_);
  if (bytes.size() != static_cast<std::size_t>(std::popcount(frontier.size_)) * sizeof(Hash)) {
    return fail(ErrorKind::corrupt, "a Merkle frontier's hashes do not fit its size");
  }
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(Hash))) {
    Hash peak{};
    std::copy_n(bytes.begin(), peak.size(), peak.begin());
    frontier.peaks_.push_back(peak);
  }
  return frontier;
}

}  // namespace carehub::storage
