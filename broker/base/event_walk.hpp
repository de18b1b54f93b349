#pragma once

#include <flatbuffers/flatbuffers.h>

#include "broker/base/event_schema.hpp"

/// Reading a verified Event by event_schema. Only this room's event_*.cpp use it.
namespace carehub::event_walk {

inline const flatbuffers::Table& table_of(const event::Event& event) {
  return reinterpret_cast<const flatbuffers::Table&>(event);
}

/// One field of one table: a value, or a list of them.
class Element {
 public:
  Element(const flatbuffers::Table& table, const event_schema::Field& field);

  /// A number that equals its default is absent, however it was written.
  bool present() const { return address_ != nullptr; }
  /// 1 for what is not a list.
  std::uint32_t size() const { return size_; }
  /// For kind table.
  const flatbuffers::Table& table(std::uint32_t index) const;
  /// For the other kinds: canonical text.
  void append_text(std::uint32_t index, std::string& out) const;

 private:
  const std::uint8_t* address_of(std::uint32_t index) const {
    return address_ + std::size_t{index} * field_->size;
  }

  const event_schema::Field* field_;
  const std::uint8_t* address_ = nullptr;  // of the value in its table, or of a list's first element
  std::uint32_t size_ = 0;
};

}  // namespace carehub::event_walk
