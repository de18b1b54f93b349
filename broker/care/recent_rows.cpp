#include "broker/care/recent_rows.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kOfSet = 8;
constexpr std::size_t kSets = std::size_t{1} << 17U;  // some 50 MB in all; a child has two rows or three

}  // namespace

// Pages of zeros, which the system gives as they are written to.
RecentRows::RecentRows() : slots_(static_cast<Slot*>(std::calloc(kSets * kOfSet, sizeof(Slot)))) {
  CAREHUB_ASSERT(slots_ != nullptr, "memory for rows that were asked for lately");
}

RecentRows::Slot* RecentRows::set_of(const KeyedName& name) const {
  return slots_.get() + (name.hash() % kSets) * kOfSet;
}

RecentRows::Slot* RecentRows::slot_of(const KeyedName& name) const {
  Slot* set = set_of(name);
  Slot* found =
      std::find_if(set, set + kOfSet, [&](const Slot& slot) { return slot.used != 0 && slot.name == name; });
  return found == set + kOfSet ? nullptr : found;
}

std::optional<std::string_view> RecentRows::find(const KeyedName& name) const {
  const Slot* slot = slot_of(name);
  if (slot == nullptr) return std::nullopt;
  return std::string_view(slot->value.data(), slot->used - 1U);
}

void RecentRows::put(const KeyedName& name, std::string_view value) {
  if (value.size() > kValueMax) return forget(name);
  Slot* slot = slot_of(name);
  if (slot == nullptr) {
    Slot* set = set_of(name);
    slot = std::find_if(set, set + kOfSet, [](const Slot& each) { return each.used == 0; });
    if (slot == set + kOfSet) slot = set + turn_++ % kOfSet;
  }
  slot->name = name;
  slot->used = static_cast<std::uint8_t>(value.size() + 1);
  std::copy(value.begin(), value.end(), slot->value.begin());
}

void RecentRows::forget(const KeyedName& name) {
  if (Slot* slot = slot_of(name)) *slot = {};
}

}  // namespace carehub::care
