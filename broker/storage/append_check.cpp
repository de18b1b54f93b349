#include "broker/storage/append_check.hpp"

namespace carehub::storage {

std::size_t encoded_size(const SealedEntry& entry) {
  return kClearBytes + kNonceBytes + sizeof(Hash) + entry.ciphertext.size();
}

Result<void> check_batch(const std::vector<SealedEntry>& batch, Sequence next) {
  if (batch.empty()) return fail(ErrorKind::invalid, "an append to the ledger has no entries");
  if (batch.size() > kAppendEntriesMax) {
    return fail(ErrorKind::invalid, "an append to the ledger has " + std::to_string(batch.size()) +
                                        " entries, over the limit of " + std::to_string(kAppendEntriesMax));
  }
  std::size_t bytes = 0;
  for (const SealedEntry& entry : batch) {
    if (entry.header.sequence != next) {
      return fail(ErrorKind::invalid, "an append to the ledger carries sequence " +
                                          std::to_string(entry.header.sequence) + " where " +
                                          std::to_string(next) + " must follow");
    }
    if (entry.header.length != entry.ciphertext.size() || entry.leaf == Hash{}) {
      return fail(ErrorKind::invalid, "ledger entry " + std::to_string(next) +
                                          " was not made by the sealer: no leaf or wrong length");
    }
    bytes += encoded_size(entry);
    ++next;
  }
  if (bytes > kAppendBytesMax) {
    return fail(ErrorKind::invalid, "an append to the ledger has " + std::to_string(bytes) +
                                        " bytes, over the limit of " + std::to_string(kAppendBytesMax));
  }
  return {};
}

}  // namespace carehub::storage
