#include "broker/base/event_walk.hpp"

#include <cstring>

namespace carehub::event_walk {
namespace {

/// Follows the offset that stands at `address`.
const std::uint8_t* follow(const std::uint8_t* address) {
  return address + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(address);
}

/// Structs are copied out: a view of a larger frame need not be aligned.
template <class Struct>
Struct copy_struct(const std::uint8_t* address) {
  Struct copy;
  std::memcpy(static_cast<void*>(&copy), address, sizeof copy);
  return copy;
}

}  // namespace

Element::Element(const flatbuffers::Table& table, const event_schema::Field& field) : field_(&field) {
  const auto* address = table.GetAddressOf(field.offset);
  if (address == nullptr) return;
  if (field.list) {
    const auto* list = follow(address);
    size_ = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(list);
    address_ = list + sizeof(flatbuffers::uoffset_t);
    return;
  }
  const bool number = field.kind == FieldKind::integer || field.kind == FieldKind::enumeration;
  if (number && event_schema::read_number(field, address) == field.default_value) return;
  address_ = address;
  size_ = 1;
}

const flatbuffers::Table& Element::table(std::uint32_t index) const {
  return *reinterpret_cast<const flatbuffers::Table*>(follow(address_of(index)));
}

void Element::append_text(std::uint32_t index, std::string& out) const {
  const auto* address = address_of(index);
  switch (field_->kind) {
    case FieldKind::text: {
      const auto* text = reinterpret_cast<const flatbuffers::String*>(follow(address));
      out.append(text->string_view());
      return;
    }
    case FieldKind::integer: out += std::to_string(event_schema::read_number(*field_, address)); return;
    case FieldKind::enumeration:
      out += field_->enumeration->name_of(
          static_cast<std::uint64_t>(event_schema::read_number(*field_, address)));
      return;
    case FieldKind::time: out += time_text(copy_struct<event::Time>(address)); return;
    case FieldKind::date: out += date_text(copy_struct<event::Date>(address)); return;
    case FieldKind::table: return;
  }
}

}  // namespace carehub::event_walk
