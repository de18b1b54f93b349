#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::simulation {

/// Keys written in blocks ahead of use. A block is handed out of only once it is synced; a crash loses one
/// that is not, and which keys of the others were handed out. The disk may be full.
class BlockVault final : public storage::Vault {
 public:
  explicit BlockVault(Random& random) : random_(random) {
    write_block();
    sync();
    std::array<std::uint8_t, 32> bytes{};
    random_.fill(bytes);
    index_key_ = storage::SecretKey(bytes);
  }

  Result<KeyId> mint() override {
    if (ready_.empty()) {
      if (full_) return fail(ErrorKind::unavailable, "the vault's disk is full");
      if (unsynced_.empty()) write_block();
      sync();
    } else if (unsynced_.empty() && ready_.size() < 2 && !full_) {
      write_block();
    }
    const KeyId id = ready_.back();
    ready_.pop_back();
    return id;
  }

  Result<storage::SecretKey> key(const KeyId& id) const override {
    const auto found = keys_.find(id);
    if (found != keys_.end()) return found->second;
    const bool gone = std::find(destroyed_.begin(), destroyed_.end(), id) != destroyed_.end();
    return fail(gone ? ErrorKind::not_found : ErrorKind::corrupt, "the vault has no such key");
  }

  Result<void> destroy(const std::vector<KeyId>& ids) override {
    if (full_) return fail(ErrorKind::unavailable, "the vault's disk is full");
    for (const KeyId& id : ids) {
      if (keys_.erase(id) > 0) destroyed_.push_back(id);
    }
    return {};
  }

  std::vector<std::string> copies_with(const std::vector<KeyId>&) const override { return {}; }

  const storage::SecretKey& index_key() const override { return index_key_; }

  void crash() {
    unsynced_.clear();
    ready_.clear();
  }
  void be_full(bool full) { full_ = full; }

 private:
  static constexpr std::size_t kBlock = 2;

  void write_block() {
    for (std::size_t each = 0; each < kBlock; ++each) {
      KeyId id;
      random_.fill(id.bytes);
      std::array<std::uint8_t, 32> bytes{};
      random_.fill(bytes);
      unsynced_.emplace_back(id, storage::SecretKey(bytes));
    }
  }
  void sync() {
    for (auto& [id, key] : unsynced_) {
      keys_.emplace(id, key);
      ready_.push_back(id);
    }
    unsynced_.clear();
  }

  Random& random_;
  storage::SecretKey index_key_;
  std::map<KeyId, storage::SecretKey> keys_;  // on the disk for good
  std::vector<KeyId> destroyed_;
  std::vector<KeyId> ready_;
  std::vector<std::pair<KeyId, storage::SecretKey>> unsynced_;
  bool full_ = false;
};

}  // namespace carehub::simulation
