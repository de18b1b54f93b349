#pragma once

#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "broker/base/random.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

/// A vault for tests and simulation. A minted key is as safe as a synced one: it outlives every crash of the
/// hub that is simulated above it.
class MemoryVault final : public Vault {
 public:
  explicit MemoryVault(Random& random);

  Result<KeyId> mint() override;
  Result<SecretKey> key(const KeyId& id) const override;
  const SecretKey& index_key() const override { return index_key_; }
  Result<void> destroy(const std::vector<KeyId>& ids) override;
  std::vector<std::string> copies_with(const std::vector<KeyId>&) const override { return {}; }

  /// From here on the key was never minted here, as in a vault that is older than its ledger.
  void lose(const KeyId& id);

 private:
  mutable std::mutex mutex_;  // the vault is read by the loop and by queries
  Random& random_;
  SecretKey index_key_;
  std::unordered_map<KeyId, SecretKey> keys_;
  std::unordered_set<KeyId> destroyed_;
};

}  // namespace carehub::storage
