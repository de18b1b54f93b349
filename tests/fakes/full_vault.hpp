#pragma once

#include "broker/storage/vault.hpp"

namespace carehub::fakes {

/// A vault whose file cannot grow until there is room again.
class FullVault final : public storage::Vault {
 public:
  explicit FullVault(storage::Vault& vault) : vault_(vault) {}
  Result<KeyId> mint() override {
    if (full) return fail(ErrorKind::unavailable, "no room");
    return vault_.mint();
  }
  Result<storage::SecretKey> key(const KeyId& id) const override { return vault_.key(id); }
  const storage::SecretKey& index_key() const override { return vault_.index_key(); }
  Result<void> destroy(const std::vector<KeyId>& ids) override { return vault_.destroy(ids); }
  std::vector<std::string> copies_with(const std::vector<KeyId>& ids) const override {
    return vault_.copies_with(ids);
  }
  bool full = true;

 private:
  storage::Vault& vault_;
};

}  // namespace carehub::fakes
