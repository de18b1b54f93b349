#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace carehub::care {

/// The name of a row that is found by a keyed hash alone: its kind and 16 bytes.
struct KeyedName {
  static constexpr std::size_t kSize = 18;
  std::array<char, kSize> bytes{};

  friend bool operator==(const KeyedName&, const KeyedName&) = default;
  std::string_view text() const { return {bytes.data(), bytes.size()}; }
  /// The 16 bytes are random or a keyed hash: any of them will do.
  std::uint64_t hash() const {
    std::uint64_t hash = 0;
    std::memcpy(&hash, bytes.data() + 2, sizeof hash);
    return hash;
  }
};

/// The newest values of rows that were asked for or written lately, so that a child who is heard of again is
/// not looked up on the disk. Keeps a bounded number, in sets of eight; memory is taken as they fill. For one
/// thread.
class RecentRows {
 public:
  static constexpr std::size_t kValueMax = 28;  // bytes; a longer value is not kept

  RecentRows();
  std::optional<std::string_view> find(const KeyedName& name) const;
  void put(const KeyedName& name, std::string_view value);
  void forget(const KeyedName& name);

 private:
  struct Slot {
    KeyedName name;
    std::uint8_t used;  // 0: free; else the value's size and one
    std::array<char, kValueMax> value;
  };
  struct Release {
    void operator()(Slot* slots) const { std::free(slots); }
  };
  Slot* set_of(const KeyedName& name) const;
  Slot* slot_of(const KeyedName& name) const;

  std::unique_ptr<Slot, Release> slots_;
  std::uint32_t turn_ = 0;  // whose turn it is to go where a set is full
};

}  // namespace carehub::care
