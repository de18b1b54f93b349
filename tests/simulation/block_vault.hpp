#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/storage/vault.hpp"
#include "tests/simulation/dice.hpp"

namespace carehub::simulation {

/// Keys written in blocks ahead of use. A block is handed out of only once it is synced; a crash loses one
/// that is not, and which keys of the others were handed out. A file without the keys that are destroyed
/// takes the place of the old one, and until its name is safe a crash may bring the old one back. The disk
/// may be full, or make no name safe; and there may be copies of the file, one of which is put back.
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
    if (auto settled = settle(); !settled) return tl::unexpected(settled.error());
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
    const auto found = file_.keys.find(id);
    if (found != file_.keys.end()) return found->second;
    return fail(file_.destroyed.contains(id) ? ErrorKind::not_found : ErrorKind::corrupt,
                "the vault has no such key");
  }

  Result<void> destroy(const std::vector<KeyId>& ids) override {
    if (auto settled = settle(); !settled) return settled;
    File without = file_;
    for (const KeyId& id : ids) {
      if (without.keys.erase(id) > 0) without.destroyed.insert(id);
    }
    if (without.keys.size() == file_.keys.size()) return {};
    if (full_) return fail(ErrorKind::unavailable, "the vault's disk is full");
    replaced_ = std::exchange(file_, std::move(without));
    std::erase_if(ready_, [&](const KeyId& id) { return file_.destroyed.contains(id); });
    return settle();
  }

  std::vector<std::string> copies_with(const std::vector<KeyId>& ids) const override {
    std::vector<std::string> found;
    for (const File& copy : copies_) {
      if (std::ranges::any_of(ids, [&](const KeyId& id) { return copy.keys.contains(id); }))
        found.push_back("copy " + std::to_string(found.size() + 1));
    }
    return found;
  }

  const storage::SecretKey& index_key() const override { return index_key_; }

  /// The disk holds the key still, or may hold it again after a crash.
  bool may_have(const KeyId& id) const {
    return file_.keys.contains(id) || (replaced_ && replaced_->keys.contains(id));
  }
  /// It was never minted here.
  bool lacks(const KeyId& id) const { return !file_.keys.contains(id) && !file_.destroyed.contains(id); }

  void crash(Dice& dice) {
    unsynced_.clear();
    ready_.clear();
    if (replaced_ && dice.one_in(2)) file_ = std::move(*replaced_);
    replaced_.reset();
  }
  void be_full(bool full) { full_ = full; }
  /// What is written anew gets no safe name.
  void be_stuck(bool stuck) { stuck_ = stuck; }

  void copy() { copies_.push_back(file_); }
  std::size_t copies() const { return copies_.size(); }
  void throw_copies_away() { copies_.clear(); }
  /// In the place of the file, which is kept aside. Only between two lives of the hub.
  void put_back(std::size_t copy) { aside_ = std::exchange(file_, copies_.at(copy)); }
  void put_newest_back() { file_ = aside_; }

 private:
  static constexpr std::size_t kBlock = 2;

  struct File {
    std::map<KeyId, storage::SecretKey> keys;
    std::set<KeyId> destroyed;
  };

  Result<void> settle() {
    if (replaced_ && stuck_) return fail(ErrorKind::unavailable, "the vault's directory cannot be synced");
    replaced_.reset();
    return {};
  }

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
      file_.keys.emplace(id, key);
      ready_.push_back(id);
    }
    unsynced_.clear();
  }

  Random& random_;
  storage::SecretKey index_key_;
  File file_;                     // on the disk for good, but for its name
  std::optional<File> replaced_;  // by one whose name is not safe yet
  File aside_;
  std::vector<File> copies_;
  std::vector<KeyId> ready_;
  std::vector<std::pair<KeyId, storage::SecretKey>> unsynced_;
  bool full_ = false;
  bool stuck_ = false;
};

}  // namespace carehub::simulation
