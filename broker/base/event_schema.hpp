#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/event_fields.hpp"

/// event.fbs as data, read once from the schema that is compiled in. For code that must treat every field
/// alike: this room's event_*.cpp, core's redaction and domain checks.
namespace carehub::event_schema {

struct Enumeration {
  std::vector<std::string> names;  // by value; empty where no value has the number

  /// The name, or `unknown` for a number that a newer writer knows.
  std::string_view name_of(std::uint64_t value) const;
  /// -1 when there is none.
  std::int64_t value_of(std::string_view name) const;
};

struct TableType;

struct Field {
  std::string name;
  std::uint16_t id = 0;      // place in its table
  std::uint16_t offset = 0;  // of its vtable slot, in bytes
  FieldKind kind = FieldKind::text;
  bool list = false;
  bool required = false;
  bool is_signed = false;
  std::uint8_t size = 0;  // bytes inside the table, or of one element of a list
  std::int64_t default_value = 0;
  std::int64_t min = 0;  // of integers
  std::int64_t max = 0;
  const TableType* table = nullptr;
  const Enumeration* enumeration = nullptr;
};

/// No table has more.
constexpr std::size_t kFieldsMax = 64;

struct TableType {
  std::string name;                        // without namespace
  std::vector<Field> fields;               // by id, which is schema order
  std::vector<std::uint16_t> write_order;  // largest first, so that no padding is written

  const Field* find(std::string_view field_name) const;
};

/// The root table, Event. Thread-safe.
const TableType& event_table();

/// The field that a path leads to.
const Field& field_at(const FieldPath& path);

/// The number at `address`, of a field's or element's size and sign.
std::int64_t read_number(const Field& field, const std::uint8_t* address);

}  // namespace carehub::event_schema
