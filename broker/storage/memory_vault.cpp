#include "broker/storage/memory_vault.hpp"

#include "broker/storage/master_key.hpp"

namespace carehub::storage {

MemoryVault::MemoryVault(Random& random) : random_(random), index_key_(draw_key(random)) {}

Result<KeyId> MemoryVault::mint() {
  const std::lock_guard lock(mutex_);
  KeyId id;
  random_.fill(id.bytes);
  keys_.emplace(id, draw_key(random_));
  return id;
}

Result<SecretKey> MemoryVault::key(const KeyId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(id);
  if (found != keys_.end()) return found->second;
  if (destroyed_.contains(id)) return fail(ErrorKind::not_found, "the key was destroyed");
  return fail(ErrorKind::corrupt,
              "the vault has no such key: it was never minted here: restore the newest vault");
}

Result<void> MemoryVault::destroy(const std::vector<KeyId>& ids) {
  const std::lock_guard lock(mutex_);
  for (const KeyId& id : ids) {
    if (keys_.erase(id) > 0) destroyed_.insert(id);
  }
  return {};
}

void MemoryVault::lose(const KeyId& id) {
  const std::lock_guard lock(mutex_);
  keys_.erase(id);
  destroyed_.erase(id);
}

}  // namespace carehub::storage
