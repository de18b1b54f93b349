#include "broker/base/event_schema.hpp"

#include <flatbuffers/reflection_generated.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

#include "broker/base/assert.hpp"
#include "schemas/event_bfbs_generated.h"

namespace carehub::event_schema {
namespace {

struct Catalogue {
  std::vector<std::unique_ptr<TableType>> tables;          // by reflection's object index
  std::vector<std::unique_ptr<Enumeration>> enumerations;  // by reflection's enum index
  const TableType* root = nullptr;
};

std::string without_namespace(std::string_view name) { return std::string(name.substr(name.rfind('.') + 1)); }

std::unique_ptr<Enumeration> read_enumeration(const reflection::Enum& source) {
  auto enumeration = std::make_unique<Enumeration>();
  for (const auto* value : *source.values()) {
    CAREHUB_ASSERT(value->value() >= 0 && value->value() <= 255, "event.fbs has enumerations of ubyte alone");
    const auto number = static_cast<std::size_t>(value->value());
    if (enumeration->names.size() <= number) enumeration->names.resize(number + 1);
    enumeration->names[number] = value->name()->str();
  }
  return enumeration;
}

void read_integer_range(Field& field, reflection::BaseType type) {
  const auto range = [&field]<class T>(T) {
    field.size = sizeof(T);
    field.is_signed = std::numeric_limits<T>::is_signed;
    field.min =
        std::numeric_limits<T>::is_signed ? -1 - static_cast<std::int64_t>(std::numeric_limits<T>::max()) : 0;
    // An unsigned 64-bit field holds what fits a signed one: canonical values are int64.
    field.max = sizeof(T) == 8 ? std::numeric_limits<std::int64_t>::max()
                               : static_cast<std::int64_t>(std::numeric_limits<T>::max());
  };
  switch (type) {
    case reflection::Bool:
    case reflection::UType:
    case reflection::UByte: return range(std::uint8_t{});
    case reflection::Byte: return range(std::int8_t{});
    case reflection::UShort: return range(std::uint16_t{});
    case reflection::Short: return range(std::int16_t{});
    case reflection::UInt: return range(std::uint32_t{});
    case reflection::Int: return range(std::int32_t{});
    case reflection::ULong: return range(std::uint64_t{});
    case reflection::Long: return range(std::int64_t{});
    default: CAREHUB_ASSERT(false, "event.fbs has a field of a type that base/event_schema does not know");
  }
}

Field read_field(const reflection::Schema& schema, const reflection::Field& source,
                 const Catalogue& catalogue) {
  Field field;
  field.name = source.name()->str();
  field.id = source.id();
  field.offset = source.offset();
  field.required = source.required();
  field.default_value = source.default_integer();
  field.list = source.type()->base_type() == reflection::Vector;
  const auto type = field.list ? source.type()->element() : source.type()->base_type();
  const auto index = source.type()->index();
  if (type == reflection::String) {
    field.kind = FieldKind::text;
    field.size = sizeof(flatbuffers::uoffset_t);
  } else if (type == reflection::Obj) {
    const auto* object = schema.objects()->Get(static_cast<flatbuffers::uoffset_t>(index));
    const auto name = without_namespace(object->name()->string_view());
    field.size =
        object->is_struct() ? static_cast<std::uint8_t>(object->bytesize()) : sizeof(flatbuffers::uoffset_t);
    if (object->is_struct()) {
      CAREHUB_ASSERT((name == "Time" || name == "Date") && !field.list,
                     "event.fbs has the structs Time and Date alone");
      field.kind = name == "Time" ? FieldKind::time : FieldKind::date;
    } else {
      field.kind = FieldKind::table;
      field.table = catalogue.tables[static_cast<std::size_t>(index)].get();
    }
  } else {
    read_integer_range(field, type);
    field.kind = index < 0 ? FieldKind::integer : FieldKind::enumeration;
    if (index >= 0) field.enumeration = catalogue.enumerations[static_cast<std::size_t>(index)].get();
  }
  return field;
}

void read_table(const reflection::Schema& schema, const reflection::Object& source,
                const Catalogue& catalogue, TableType& table) {
  table.name = without_namespace(source.name()->string_view());
  if (source.is_struct()) return;
  for (const auto* field : *source.fields()) table.fields.push_back(read_field(schema, *field, catalogue));
  CAREHUB_ASSERT(table.fields.size() <= kFieldsMax, "a table of event.fbs has more fields than kFieldsMax");
  std::ranges::sort(table.fields, {}, &Field::id);
  for (std::size_t i = 0; i < table.fields.size(); ++i) {
    CAREHUB_ASSERT(table.fields[i].id == i, "event.fbs has a field id that is not its place in its table");
  }
  const auto inline_size = [&table](std::uint16_t id) {
    const auto& field = table.fields[id];
    return field.list ? sizeof(flatbuffers::uoffset_t) : std::size_t{field.size};
  };
  table.write_order.resize(table.fields.size());
  std::iota(table.write_order.begin(), table.write_order.end(), std::uint16_t{0});
  std::ranges::stable_sort(table.write_order, std::greater{}, inline_size);
}

Catalogue read_catalogue() {
  const auto& schema = *reflection::GetSchema(event::EventBinarySchema::data());
  Catalogue catalogue;
  for (const auto* source : *schema.enums()) catalogue.enumerations.push_back(read_enumeration(*source));
  for (std::size_t i = 0; i < schema.objects()->size(); ++i) {
    catalogue.tables.push_back(std::make_unique<TableType>());
  }
  for (flatbuffers::uoffset_t i = 0; i < schema.objects()->size(); ++i) {
    const auto* object = schema.objects()->Get(i);
    read_table(schema, *object, catalogue, *catalogue.tables[i]);
    if (object->name()->string_view() == schema.root_table()->name()->string_view()) {
      catalogue.root = catalogue.tables[i].get();
    }
  }
  CAREHUB_ASSERT(catalogue.root != nullptr, "event.fbs names no root table");
  return catalogue;
}

template <class T>
T read_as(const std::uint8_t* address) {
  return flatbuffers::ReadScalar<T>(address);
}

}  // namespace

std::string_view Enumeration::name_of(std::uint64_t value) const {
  if (value < names.size() && !names[value].empty()) return names[value];
  return "unknown";
}

std::int64_t Enumeration::value_of(std::string_view name) const {
  if (name.empty()) return -1;
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? -1 : found - names.begin();
}

const Field* TableType::find(std::string_view field_name) const {
  const auto found = std::ranges::find(fields, field_name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

const TableType& event_table() {
  static const Catalogue catalogue = read_catalogue();
  return *catalogue.root;
}

const Field& field_at(const FieldPath& path) {
  CAREHUB_ASSERT(!path.steps().empty(), "a field path comes from FieldPath::parse");
  const auto* table = &event_table();
  const Field* field = nullptr;
  for (const auto& step : path.steps()) {
    field = &table->fields[step.field];
    table = field->table;
  }
  return *field;
}

std::int64_t read_number(const Field& field, const std::uint8_t* address) {
  switch (field.size) {
    case 1:
      return field.is_signed ? read_as<std::int8_t>(address) : std::int64_t{read_as<std::uint8_t>(address)};
    case 2:
      return field.is_signed ? read_as<std::int16_t>(address) : std::int64_t{read_as<std::uint16_t>(address)};
    case 4:
      return field.is_signed ? read_as<std::int32_t>(address) : std::int64_t{read_as<std::uint32_t>(address)};
    default: return read_as<std::int64_t>(address);
  }
}

}  // namespace carehub::event_schema
