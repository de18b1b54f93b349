#include "broker/care/keyed_rows.hpp"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>

#include "broker/base/assert.hpp"
#include "broker/care/recent_rows.hpp"
#include "broker/care/row_keys.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kValueMax = 60;  // bytes, of the longest: a message that came before

KeyedName name_of(std::string_view key) {
  KeyedName name;
  std::copy(key.begin(), key.end(), name.bytes.begin());
  return name;
}

struct NameHash {
  using is_avalanching = void;
  std::size_t operator()(const KeyedName& name) const { return name.hash(); }
};

/// A value, or that there is no such row.
class Cell {
 public:
  Cell() = default;
  explicit Cell(std::string_view value) : used_(static_cast<std::uint8_t>(value.size() + 1)) {
    CAREHUB_ASSERT(value.size() <= kValueMax, "a keyed row is short");
    std::copy(value.begin(), value.end(), bytes_.begin());
  }
  std::optional<std::string> value() const {
    if (used_ == 0) return std::nullopt;
    return std::string(bytes_.data(), used_ - 1U);
  }

 private:
  std::uint8_t used_ = 0;
  std::array<char, kValueMax> bytes_{};
};

using Layer = boost::unordered_flat_map<KeyedName, Cell, NameHash>;

/// A message that comes again is rare: its row would only push others out.
bool is_kept_in_memory(std::string_view key) { return !row_keys::is_identity(key); }

}  // namespace

struct KeyedRows::Layers {
  explicit Layers(const storage::StateStore& from) : store(from) {}

  const storage::StateStore& store;
  Layer gathering;
  Layer leaving;
  RecentRows recent;
};

KeyedRows::KeyedRows(const storage::StateStore& store) : layers_(std::make_unique<Layers>(store)) {}
KeyedRows::~KeyedRows() = default;

bool KeyedRows::keeps(std::string_view key) {
  return key.size() == KeyedName::kSize && row_keys::is_keyed(key);
}

Result<std::optional<std::string>> KeyedRows::get(std::string_view key) const {
  const auto name = name_of(key);
  if (const auto recent = layers_->recent.find(name)) return std::string(*recent);
  for (const Layer* layer : {&layers_->gathering, &layers_->leaving}) {
    const auto found = layer->find(name);
    if (found != layer->end()) return found->second.value();
  }
  auto stored = layers_->store.get(key);
  if (stored && *stored && is_kept_in_memory(key)) layers_->recent.put(name, **stored);
  return stored;
}

void KeyedRows::put(std::string_view key, std::string_view value) {
  const auto name = name_of(key);
  layers_->gathering.insert_or_assign(name, Cell(value));
  if (is_kept_in_memory(key)) layers_->recent.put(name, value);
}

void KeyedRows::remove(std::string_view key) {
  const auto name = name_of(key);
  layers_->gathering.insert_or_assign(name, Cell());
  layers_->recent.forget(name);
}

std::size_t KeyedRows::gathered() const { return layers_->gathering.size(); }

void KeyedRows::seal() { std::swap(layers_->leaving, layers_->gathering); }

void KeyedRows::append_leaving(std::vector<storage::RowChange>& changes) const {
  std::vector<const Layer::value_type*> sorted;
  sorted.reserve(layers_->leaving.size());
  for (const auto& row : layers_->leaving) sorted.push_back(&row);
  std::ranges::sort(sorted, {}, [](const auto* row) { return row->first.text(); });
  for (const auto* row : sorted) changes.push_back({std::string(row->first.text()), row->second.value()});
}

std::shared_ptr<void> KeyedRows::left() {
  return std::make_shared<Layer>(std::exchange(layers_->leaving, {}));
}

}  // namespace carehub::care
