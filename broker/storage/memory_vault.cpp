#include "broker/storage/memory_vault.hpp"

namespace carehub::storage {
namespace {

SecretKey draw(Random& random) {
  std::array<std::uint8_t, 32> bytes{};
  random.fill(bytes);
  return SecretKey(bytes);
}

}  // namespace

MemoryVault::MemoryVault(Random& random) : random_(random), index_key_(draw(random)) {}

Result<KeyId> MemoryVault::mint() {
  const std::lock_guard lock(mutex_);
  KeyId id;
  random_.fill(id.bytes);
  keys_.emplace(id, draw(random_));
  return id;
}

Result<SecretKey> MemoryVault::key(const KeyId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end())
    return fail(ErrorKind::not_found, "the vault has no such key: it was destroyed or never minted");
  return found->second;
}

void MemoryVault::destroy(const KeyId& id) {
  const std::lock_guard lock(mutex_);
  keys_.erase(id);
}

}  // namespace carehub::storage
