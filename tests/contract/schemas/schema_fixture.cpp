#include "tests/contract/schemas/schema_fixture.hpp"

#include <flatbuffers/flatbuffers.h>
#include <flatbuffers/reflection_generated.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace carehub::contract {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::uoffset_t;
using reflection::BaseType;

const reflection::Schema& schema_of(const Bytes& bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!reflection::VerifySchemaBuffer(verifier)) throw std::runtime_error("not a binary schema");
  return *reflection::GetSchema(bytes.data());
}

std::string short_name(const flatbuffers::String& name) {
  const auto text = name.str();
  return text.substr(text.rfind('.') + 1);
}

std::string snake_case(const std::string& name) {
  std::string snake;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0 && !snake.empty()) snake.push_back('_');
    snake.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return snake;
}

std::size_t size_of(BaseType type) {
  switch (type) {
    case reflection::UType:
    case reflection::Bool:
    case reflection::Byte:
    case reflection::UByte: return 1;
    case reflection::Short:
    case reflection::UShort: return 2;
    case reflection::Int:
    case reflection::UInt: return 4;
    case reflection::Long:
    case reflection::ULong: return 8;
    default: throw std::runtime_error("the fixtures know whole numbers alone; teach them the new type");
  }
}

bool is_signed(BaseType type) {
  return type == reflection::Byte || type == reflection::Short || type == reflection::Int ||
         type == reflection::Long;
}

std::vector<const reflection::Field*> fields_by_id(const reflection::Object& object) {
  std::vector<const reflection::Field*> fields(object.fields()->begin(), object.fields()->end());
  std::ranges::sort(fields, {}, [&object](const reflection::Field* field) {
    return object.is_struct() ? field->offset() : field->id();
  });
  return fields;
}

const reflection::Object& object_at(const reflection::Schema& schema, int index) {
  return *schema.objects()->Get(static_cast<uoffset_t>(index));
}

const reflection::Enum& enum_at(const reflection::Schema& schema, int index) {
  return *schema.enums()->Get(static_cast<uoffset_t>(index));
}

/// The table whose bytes a [ubyte] field nests, or nullptr.
const reflection::Object* nested_object(const reflection::Schema& schema, const reflection::Field& field) {
  if (field.attributes() == nullptr) return nullptr;
  const auto* attribute = field.attributes()->LookupByKey("nested_flatbuffer");
  if (attribute == nullptr) return nullptr;
  const auto* object = schema.objects()->LookupByKey(attribute->value()->c_str());
  if (object == nullptr) throw std::runtime_error("a nested table is not in the schema");
  return object;
}

void put_number(std::uint8_t* out, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint64_t get_number(const std::uint8_t* in, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{in[i]} << (8 * i);
  return value;
}

/// Fills a table and all that hangs from it with values that tell where they belong.
class Filler {
 public:
  /// `chosen`: the value of the root's type or union that this fixture is for.
  Filler(const reflection::Schema& schema, const reflection::EnumVal& chosen)
      : schema_(schema), chosen_(chosen), salt_(static_cast<std::uint64_t>(chosen.value())) {}

  Bytes fill(const reflection::Object& root, const char* identifier, bool shallow) {
    FlatBufferBuilder builder(4096);
    builder.ForceDefaults(true);
    builder.Finish(Offset<void>(write_table(builder, root, true, shallow)), identifier);
    return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
  }

 private:
  uoffset_t write_table(FlatBufferBuilder& builder, const reflection::Object& object, bool root,
                        bool shallow) {
    const auto fields = fields_by_id(object);
    std::vector<uoffset_t> offsets;
    offsets.reserve(fields.size());
    for (const auto* field : fields) {
      offsets.push_back(wanted(*field, root, shallow) ? write_outside(builder, *field) : 0);
    }
    const auto start = builder.StartTable();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (wanted(*fields[i], root, shallow)) write_inside(builder, *fields[i], offsets[i], root);
    }
    return builder.EndTable(start);
  }

  /// The root has one payload: the field of the chosen type's name. A shallow table has no tables.
  bool wanted(const reflection::Field& field, bool root, bool shallow) const {
    const bool table = field.type()->base_type() == reflection::Obj &&
                       !object_at(schema_, field.type()->index()).is_struct();
    if (shallow && (table || field.type()->element() == reflection::Obj)) return false;
    if (!root || !table) return true;
    const auto type_name = snake_case(short_name(*object_at(schema_, field.type()->index()).name()));
    return type_name != field.name()->str() || type_name == chosen_.name()->str() || type_name == "person";
  }

  uoffset_t write_outside(FlatBufferBuilder& builder, const reflection::Field& field) {
    const auto& type = *field.type();
    switch (type.base_type()) {
      case reflection::String: return text(builder, field).o;
      case reflection::Vector: return write_list(builder, field);
      case reflection::Union:
        return write_table(builder, object_at(schema_, chosen_.union_type()->index()), false, false);
      case reflection::Obj: {
        const auto& object = object_at(schema_, type.index());
        return object.is_struct() ? 0 : write_table(builder, object, false, false);
      }
      default: return 0;
    }
  }

  void write_inside(FlatBufferBuilder& builder, const reflection::Field& field, uoffset_t offset, bool root) {
    const auto type = field.type()->base_type();
    if (offset != 0) {
      builder.AddOffset(field.offset(), Offset<void>(offset));
    } else if (type == reflection::Obj) {
      const auto& object = object_at(schema_, field.type()->index());
      builder.Align(static_cast<std::size_t>(object.minalign()));
      builder.PushBytes(struct_bytes(object).data(), static_cast<std::size_t>(object.bytesize()));
      builder.AddStructOffset(field.offset(), builder.GetSize());
    } else {
      const bool of_chosen = root && (type == reflection::UType || field.name()->str() == "type");
      const auto value = of_chosen ? salt_ : number(field);
      switch (size_of(type)) {
        case 1: builder.AddElement(field.offset(), static_cast<std::uint8_t>(value)); break;
        case 2: builder.AddElement(field.offset(), static_cast<std::uint16_t>(value)); break;
        case 4: builder.AddElement(field.offset(), static_cast<std::uint32_t>(value)); break;
        default: builder.AddElement(field.offset(), value);
      }
    }
  }

  uoffset_t write_list(FlatBufferBuilder& builder, const reflection::Field& field) {
    const auto& type = *field.type();
    if (const auto* nested = nested_object(schema_, field)) {
      return builder.CreateVector(Filler(schema_, chosen_).fill(*nested, nullptr, true)).o;
    }
    if (type.element() == reflection::String) {
      return builder.CreateVector(std::vector<Offset<void>>{text(builder, field), text(builder, field)}).o;
    }
    if (type.element() == reflection::Obj) {
      const auto& object = object_at(schema_, type.index());
      if (!object.is_struct()) {
        return builder.CreateVector(std::vector<Offset<void>>{write_table(builder, object, false, false)}).o;
      }
      const auto bytes = struct_bytes(object);
      builder.StartVector(bytes.size() / static_cast<std::size_t>(object.minalign()),
                          static_cast<std::size_t>(object.minalign()));
      builder.PushBytes(bytes.data(), bytes.size());
      return builder.EndVector(1);
    }
    if (size_of(type.element()) == 8) {
      return builder.CreateVector(std::vector<std::uint64_t>{number(field), number(field)}).o;
    }
    if (size_of(type.element()) != 1)
      throw std::runtime_error("the fixtures know lists of bytes and of 64 bits; teach them the new type");
    // Every value of an enumeration, so that none can change its name unseen.
    std::vector<std::uint8_t> numbers = {static_cast<std::uint8_t>(number(field)),
                                         static_cast<std::uint8_t>(number(field))};
    if (type.index() >= 0) {
      numbers.clear();
      for (const auto* value : *enum_at(schema_, type.index()).values()) {
        numbers.push_back(static_cast<std::uint8_t>(value->value()));
      }
    }
    return builder.CreateVector(numbers).o;
  }

  Offset<void> text(FlatBufferBuilder& builder, const reflection::Field& field) {
    return {builder.CreateString(field.name()->str() + " " + std::to_string(++count_)).o};
  }

  Bytes struct_bytes(const reflection::Object& object) {
    Bytes bytes(static_cast<std::size_t>(object.bytesize()), 0);
    for (const auto* field : fields_by_id(object)) {
      const auto& type = *field->type();
      auto* out = bytes.data() + field->offset();
      if (type.base_type() == reflection::Array) {
        for (std::uint16_t i = 0; i < type.fixed_length(); ++i) out[i] = static_cast<std::uint8_t>(++count_);
      } else {
        put_number(out, size_of(type.base_type()), number(*field));
      }
    }
    return bytes;
  }

  /// Fills the number's high bytes too, keeps off the default, and stays within an enumeration.
  std::uint64_t number(const reflection::Field& field) {
    ++count_;
    const auto& type = *field.type();
    const auto base = type.base_type() == reflection::Vector ? type.element() : type.base_type();
    if (type.index() >= 0) {
      const auto& values = *enum_at(schema_, type.index()).values();
      return static_cast<std::uint64_t>(
          values.Get(static_cast<uoffset_t>(1 + (count_ + salt_) % (values.size() - 1)))->value());
    }
    if (base == reflection::Bool) return field.default_integer() == 0 ? 1 : 0;
    const auto size = size_of(base);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = (value << 8U) | (1 + (count_ + 37 * i) % 120);
    if (value == static_cast<std::uint64_t>(field.default_integer())) ++value;
    return value;
  }

  const reflection::Schema& schema_;
  const reflection::EnumVal& chosen_;
  std::uint64_t salt_;
  std::uint64_t count_ = 0;
};

/// Shows what a schema finds in bytes, whoever wrote them.
class Dumper {
 public:
  explicit Dumper(const reflection::Schema& schema) : schema_(schema) {}

  std::string dump(const std::uint8_t* buffer, const reflection::Object& root) {
    write_table(*flatbuffers::GetRoot<flatbuffers::Table>(buffer), root, {});
    return std::move(out_);
  }

 private:
  void write_table(const flatbuffers::Table& table, const reflection::Object& object,
                   const std::string& parent) {
    std::map<std::string, std::uint64_t> union_types;
    for (const auto* field : fields_by_id(object)) {
      const auto* address = table.GetAddressOf(field->offset());
      if (address == nullptr) continue;
      const auto path = parent + field->name()->str();
      const auto slot = " @" + std::to_string(field->id());
      const auto& type = *field->type();
      if (type.base_type() == reflection::UType) union_types[field->name()->str()] = *address;
      if (type.base_type() == reflection::Union) {
        const auto chosen = union_types[field->name()->str() + "_type"];
        const auto* member =
            enum_at(schema_, type.index()).values()->LookupByKey(static_cast<std::int64_t>(chosen));
        if (member == nullptr) continue;
        write_table(table_at(follow(address)), object_at(schema_, member->union_type()->index()),
                    path + slot + "<" + member->name()->str() + ">.");
      } else if (type.base_type() == reflection::Vector) {
        write_list(follow(address), *field, path + slot);
      } else {
        write_value(address, type, type.base_type(), path + slot);
      }
    }
  }

  void write_list(const std::uint8_t* list, const reflection::Field& field, const std::string& path) {
    const auto& type = *field.type();
    const auto count = flatbuffers::ReadScalar<uoffset_t>(list);
    const auto* first = list + sizeof(uoffset_t);
    if (const auto* nested = nested_object(schema_, field)) {
      write_table(*flatbuffers::GetRoot<flatbuffers::Table>(first), *nested,
                  path + "<" + short_name(*nested->name()) + ">.");
      return;
    }
    std::size_t size = sizeof(uoffset_t);
    if (type.element() == reflection::Obj && object_at(schema_, type.index()).is_struct()) {
      size = static_cast<std::size_t>(object_at(schema_, type.index()).bytesize());
    } else if (type.element() != reflection::Obj && type.element() != reflection::String) {
      size = size_of(type.element());
    }
    for (uoffset_t i = 0; i < count; ++i) {
      write_value(first + i * size, type, type.element(), path + "[" + std::to_string(i) + "]");
    }
  }

  void write_value(const std::uint8_t* address, const reflection::Type& type, BaseType base,
                   const std::string& path) {
    if (base == reflection::String) {
      const auto* text = reinterpret_cast<const flatbuffers::String*>(follow(address));
      line(path, "\"" + text->str() + "\"");
    } else if (base == reflection::Obj) {
      const auto& object = object_at(schema_, type.index());
      if (object.is_struct()) return write_struct(address, object, path);
      write_table(table_at(follow(address)), object, path + ".");
    } else {
      line(path, number_text(address, type, base));
    }
  }

  void write_struct(const std::uint8_t* address, const reflection::Object& object, const std::string& path) {
    for (const auto* field : fields_by_id(object)) {
      const auto& type = *field->type();
      const auto* value = address + field->offset();
      const auto name = path + "." + field->name()->str() + " +" + std::to_string(field->offset());
      if (type.base_type() == reflection::Array) {
        line(name, to_hex({value, type.fixed_length()}));
      } else {
        line(name, number_text(value, type, type.base_type()));
      }
    }
  }

  std::string number_text(const std::uint8_t* address, const reflection::Type& type, BaseType base) const {
    const auto size = size_of(base);
    const auto number = get_number(address, size);
    if (type.index() < 0) {
      if (!is_signed(base)) return std::to_string(number);
      const auto unused_bits = 64 - 8 * size;
      return std::to_string(static_cast<std::int64_t>(number << unused_bits) >> unused_bits);
    }
    const auto* value =
        enum_at(schema_, type.index()).values()->LookupByKey(static_cast<std::int64_t>(number));
    return std::to_string(number) + " " + (value == nullptr ? "(no name)" : value->name()->str());
  }

  static const std::uint8_t* follow(const std::uint8_t* address) {
    return address + flatbuffers::ReadScalar<uoffset_t>(address);
  }
  static const flatbuffers::Table& table_at(const std::uint8_t* address) {
    return *reinterpret_cast<const flatbuffers::Table*>(address);
  }
  void line(const std::string& path, const std::string& value) { out_ += path + " = " + value + "\n"; }

  const reflection::Schema& schema_;
  std::string out_;
};

std::string type_text(const reflection::Schema& schema, const reflection::Type& type, BaseType base) {
  if (base == reflection::Vector) return "[" + type_text(schema, type, type.element()) + "]";
  if (base == reflection::Array) {
    return "[" + type_text(schema, type, type.element()) + ":" + std::to_string(type.fixed_length()) + "]";
  }
  if (type.index() >= 0 && base == reflection::Obj) return object_at(schema, type.index()).name()->str();
  if (type.index() >= 0) return enum_at(schema, type.index()).name()->str();
  return reflection::EnumNameBaseType(base);
}

/// The enumeration that says which kind of fact the root holds: Event.type, or the root's union.
const reflection::Enum& kinds_of(const reflection::Schema& schema) {
  for (const auto* field : *schema.root_table()->fields()) {
    const bool kind = field->type()->base_type() == reflection::UType || field->name()->str() == "type";
    if (kind) return enum_at(schema, field->type()->index());
  }
  throw std::runtime_error("the root table has neither a type nor a union");
}

}  // namespace

std::vector<Fixture> fixtures_of(const Bytes& schema_bytes, const std::string& schema_name) {
  const auto& schema = schema_of(schema_bytes);
  std::vector<Fixture> fixtures;
  for (const auto* kind : *kinds_of(schema).values()) {
    if (kind->value() == 0) continue;
    fixtures.push_back(
        {schema_name + "_" + snake_case(kind->name()->str()),
         Filler(schema, *kind).fill(*schema.root_table(), schema.file_ident()->c_str(), false)});
  }
  return fixtures;
}

std::string dump(const Bytes& schema_bytes, const Bytes& fixture) {
  const auto& schema = schema_of(schema_bytes);
  return Dumper(schema).dump(fixture.data(), *schema.root_table());
}

std::vector<std::string> names_of(const Bytes& schema_bytes) {
  const auto& schema = schema_of(schema_bytes);
  std::vector<std::string> names = {"identifier " + schema.file_ident()->str(),
                                    "root " + schema.root_table()->name()->str()};
  for (const auto* object : *schema.objects()) {
    for (const auto* field : fields_by_id(*object)) {
      names.push_back((object->is_struct() ? "struct " : "table ") + object->name()->str() + " " +
                      std::to_string(object->is_struct() ? field->offset() : field->id()) + " " +
                      field->name()->str() + ":" +
                      type_text(schema, *field->type(), field->type()->base_type()) + " = " +
                      std::to_string(field->default_integer()) + (field->required() ? " required" : ""));
    }
  }
  for (const auto* enumeration : *schema.enums()) {
    const std::string base = reflection::EnumNameBaseType(enumeration->underlying_type()->base_type());
    for (const auto* value : *enumeration->values()) {
      names.push_back("enum " + enumeration->name()->str() + ":" + base + " " +
                      std::to_string(value->value()) + " " + value->name()->str());
    }
  }
  return names;
}

Bytes read_bytes(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string read_text(const std::filesystem::path& file) { return std::string(text_of(read_bytes(file))); }

}  // namespace carehub::contract
