#pragma once

#include <flatbuffers/flatbuffers.h>

#include "broker/base/bytes.hpp"

namespace carehub::fakes {

/// An object of the generated API as the FlatBuffer that code under test reads. Owns the bytes.
template <class Object>
class PackedTable {
 public:
  using Table = typename Object::TableType;

  explicit PackedTable(const Object& object) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(Table::Pack(builder, &object));
    bytes_.assign(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  }
  const Table& operator*() const { return *flatbuffers::GetRoot<Table>(bytes_.data()); }
  const Table* operator->() const { return &**this; }

 private:
  Bytes bytes_;
};

}  // namespace carehub::fakes
