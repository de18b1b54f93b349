#include "broker/base/event_builder.hpp"

#include <flatbuffers/flatbuffers.h>

#include <charconv>
#include <map>
#include <variant>

#include "broker/base/assert.hpp"
#include "broker/base/event_schema.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"

namespace carehub {

using event_schema::Field;
using event_schema::TableType;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::uoffset_t;

namespace {

struct TableNode;
struct Value;

/// Lists are maps: a gap costs nothing, and is closed when the list is written.
using ListNode = std::map<std::int32_t, Value>;

struct Value : std::variant<std::monostate, std::int64_t, std::string, event::Time, event::Date,
                            std::unique_ptr<TableNode>, std::unique_ptr<ListNode>> {
  using variant::variant;
  using variant::operator=;

  bool empty() const { return index() == 0; }
};

/// A table that is being filled.
struct TableNode {
  explicit TableNode(const TableType& table) : type(&table), values(table.fields.size()) {}

  const TableType* type;
  std::vector<Value> values;  // by field id
};

Error expected(const Field& field, const std::string& what) {
  return {ErrorKind::invalid, "`" + field.name + "` expects " + what};
}

Result<Value> parse_integer(const Field& field, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < field.min || number > field.max) {
    return tl::unexpected(expected(field, "a whole number in decimal from " + std::to_string(field.min) +
                                              " to " + std::to_string(field.max)));
  }
  return Value(number);
}

Result<Value> parse_enumeration(const Field& field, std::string_view text) {
  const auto number = field.enumeration->value_of(text);
  if (number >= 0) return Value(number);
  std::string names;
  for (const auto& name : field.enumeration->names) {
    if (!name.empty()) names += (names.empty() ? "" : ", ") + name;
  }
  return tl::unexpected(expected(field, "one of " + names));
}

Result<Value> parse_value(const Field& field, std::string_view text) {
  switch (field.kind) {
    case FieldKind::text:
      if (text.find('\0') != std::string_view::npos || !is_utf8(text)) {
        return tl::unexpected(expected(field, "text in UTF-8 without NUL characters"));
      }
      return Value(std::string(text));
    case FieldKind::integer: return parse_integer(field, text);
    case FieldKind::enumeration: return parse_enumeration(field, text);
    case FieldKind::time: {
      const auto time = parse_time(text);
      if (!time)
        return tl::unexpected(Error{ErrorKind::invalid, "`" + field.name + "` " + time.error().text});
      return Value(*time);
    }
    case FieldKind::date: {
      const auto date = parse_date(text);
      if (!date)
        return tl::unexpected(Error{ErrorKind::invalid, "`" + field.name + "` " + date.error().text});
      return Value(*date);
    }
    case FieldKind::table: break;
  }
  return tl::unexpected(expected(field, "a value in one of its fields, since it is a table"));
}

/// The place of a path's leaf; makes the tables and lists on the way.
Value& place_of(TableNode& root, const FieldPath& path, std::span<const std::uint32_t> indices) {
  auto* node = &root;
  Value* place = nullptr;
  std::size_t bound = 0;
  for (const auto& step : path.steps()) {
    const auto& field = node->type->fields[step.field];
    place = &node->values[step.field];
    if (step.list) {
      if (place->empty()) *place = std::make_unique<ListNode>();
      const std::int32_t index =
          step.index == FieldPath::kEvery ? static_cast<std::int32_t>(indices[bound++]) : step.index;
      place = &(*std::get<std::unique_ptr<ListNode>>(*place))[index];
    }
    if (field.kind != FieldKind::table) break;
    if (place->empty()) *place = std::make_unique<TableNode>(*field.table);
    node = std::get<std::unique_ptr<TableNode>>(*place).get();
  }
  return *place;
}

void add_missing(const TableNode& node, const std::string& parent, std::string& missing) {
  for (const auto& field : node.type->fields) {
    const auto& value = node.values[field.id];
    if (value.empty()) {
      if (field.required) missing += (missing.empty() ? "" : ", ") + parent + field.name;
      continue;
    }
    if (field.kind != FieldKind::table) continue;
    if (const auto* table = std::get_if<std::unique_ptr<TableNode>>(&value))
      add_missing(**table, parent + field.name + ".", missing);
    const auto* list = std::get_if<std::unique_ptr<ListNode>>(&value);
    if (list == nullptr) continue;
    for (const auto& [index, item] : **list) {
      add_missing(*std::get<std::unique_ptr<TableNode>>(item),
                  parent + field.name + "[" + std::to_string(index) + "].", missing);
    }
  }
}

/// Writes a tree from its leaves up, as FlatBuffers wants it. The same tree gives the same bytes.
class Writer {
 public:
  explicit Writer(FlatBufferBuilder& builder) : builder_(builder) {}

  uoffset_t write(const TableNode& node) {
    const auto& type = *node.type;
    std::vector<uoffset_t> offsets(type.fields.size(), 0);
    for (const auto& field : type.fields) offsets[field.id] = write_outside(field, node.values[field.id]);
    const auto start = builder_.StartTable();
    for (const auto id : type.write_order) write_inside(type.fields[id], node.values[id], offsets[id]);
    return builder_.EndTable(start);
  }

 private:
  /// What a table holds by offset; 0 for the rest.
  uoffset_t write_outside(const Field& field, const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return builder_.CreateString(*text).o;
    if (const auto* table = std::get_if<std::unique_ptr<TableNode>>(&value)) return write(**table);
    if (const auto* list = std::get_if<std::unique_ptr<ListNode>>(&value)) return write_list(field, **list);
    return 0;
  }

  uoffset_t write_list(const Field& field, const ListNode& list) {
    std::vector<uoffset_t> offsets;
    offsets.reserve(list.size());
    for (const auto& [index, item] : list) {
      if (const auto offset = write_outside(field, item); offset != 0) offsets.push_back(offset);
    }
    if (!offsets.empty()) {
      builder_.StartVector(offsets.size(), sizeof(uoffset_t));
      for (auto offset = offsets.rbegin(); offset != offsets.rend(); ++offset) {
        builder_.PushElement(builder_.ReferTo(*offset));
      }
      return builder_.EndVector(offsets.size());
    }
    builder_.StartVector(list.size(), field.size);
    for (auto item = list.rbegin(); item != list.rend(); ++item)
      push_number(field, std::get<std::int64_t>(item->second));
    return builder_.EndVector(list.size());
  }

  void push_number(const Field& field, std::int64_t number) {
    switch (field.size) {
      case 1: builder_.PushElement(static_cast<std::uint8_t>(number)); return;
      case 2: builder_.PushElement(static_cast<std::uint16_t>(number)); return;
      case 4: builder_.PushElement(static_cast<std::uint32_t>(number)); return;
      default: builder_.PushElement(number); return;
    }
  }

  void write_inside(const Field& field, const Value& value, uoffset_t offset) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return add_number(field, *number);
    if (const auto* time = std::get_if<event::Time>(&value)) return builder_.AddStruct(field.offset, time);
    if (const auto* date = std::get_if<event::Date>(&value)) return builder_.AddStruct(field.offset, date);
    builder_.AddOffset(field.offset, Offset<void>(offset));
  }

  /// A number that equals its default is not written.
  void add_number(const Field& field, std::int64_t number) {
    const auto add = [&]<class T>(T typed) {
      builder_.AddElement<T>(field.offset, typed, static_cast<T>(field.default_value));
    };
    switch (field.size) {
      case 1: return add(static_cast<std::uint8_t>(number));
      case 2: return add(static_cast<std::uint16_t>(number));
      case 4: return add(static_cast<std::uint32_t>(number));
      default: return add(number);
    }
  }

  FlatBufferBuilder& builder_;
};

}  // namespace

struct EventBuilder::Node {
  TableNode event{event_schema::event_table()};
  std::size_t text_bytes = 0;  // bounds the tree before it is written
  std::size_t values = 0;

  bool overfull() const { return text_bytes > limits::kEventBytesMax || values > limits::kEventTablesMax; }
};

EventBuilder::EventBuilder() : root_(std::make_unique<Node>()) {}
EventBuilder::~EventBuilder() = default;

Result<void> EventBuilder::set(const FieldPath& path, std::string_view value) { return set(path, {}, value); }

Result<void> EventBuilder::set(const FieldPath& path, std::span<const std::uint32_t> indices,
                               std::string_view value) {
  if (path.steps().empty() || path.open_lists() != indices.size()) {
    return fail(ErrorKind::invalid, "`" + path.text() + "` names no single value. Give every list an index.");
  }
  const auto& field = event_schema::field_at(path);
  auto parsed = parse_value(field, value);
  if (!parsed) return tl::unexpected(std::move(parsed.error()));
  root_->text_bytes += field.kind == FieldKind::text ? value.size() : 0;
  ++root_->values;
  if (root_->overfull()) {
    return fail(ErrorKind::invalid, "the event is larger than " + std::to_string(limits::kEventBytesMax) +
                                        " bytes. Send less text in one message.");
  }
  place_of(root_->event, path, indices) = std::move(*parsed);
  return {};
}

bool EventBuilder::overfull() const { return root_->overfull(); }

Result<Bytes> EventBuilder::finish() {
  const auto root = std::exchange(root_, std::make_unique<Node>());
  std::string missing;
  add_missing(root->event, {}, missing);
  if (!missing.empty())
    return fail(ErrorKind::invalid, "the event has no " + missing + ". Set what is missing.");
  FlatBufferBuilder builder(4096);
  builder.Finish(Offset<event::Event>(Writer(builder).write(root->event)), event::EventIdentifier());
  if (builder.GetSize() > limits::kEventBytesMax) {
    return fail(ErrorKind::invalid, "the event is larger than " + std::to_string(limits::kEventBytesMax) +
                                        " bytes. Send less text in one message.");
  }
  return Bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
}

}  // namespace carehub
