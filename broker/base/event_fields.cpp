#include "broker/base/event_fields.hpp"

#include <charconv>
#include <cstring>

#include "broker/base/assert.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/base/event_schema.hpp"
#include "broker/base/event_walk.hpp"
#include "broker/base/limits.hpp"

namespace carehub {
namespace {

using event_schema::Field;
using event_schema::TableType;

constexpr std::size_t kShownNameBytesMax = 64;

std::string_view shown(std::string_view name) { return name.substr(0, kShownNameBytesMax); }

std::string unknown_field(std::string_view name, const TableType& table, std::string_view parent) {
  std::vector<std::string> names;
  names.reserve(table.fields.size());
  for (const auto& field : table.fields) names.push_back(field.name);
  const auto nearest = nearest_word(name, names);
  std::string text = "unknown field `" + std::string(shown(name)) + "` in ";
  text += parent.empty() ? std::string("an event") : "`" + std::string(shown(parent)) + "`";
  text += nearest.empty() ? std::string(". event.fbs lists the fields that exist.")
                          : ". Did you mean `" + nearest + "`?";
  return text;
}

void append_step(std::string& text, const Field& field, const FieldPath::Step& step) {
  if (!text.empty()) text.push_back('.');
  text += field.name;
  if (!step.list) return;
  text.push_back('[');
  if (step.index != FieldPath::kEvery) text += std::to_string(step.index);
  text.push_back(']');
}

/// "[3]", "[]" or nothing after a name, as an index; nullopt when it is none of these.
std::optional<std::int32_t> read_index(std::string_view brackets) {
  if (brackets.empty() || brackets == "[]") return FieldPath::kEvery;
  if (brackets.size() < 3 || brackets.back() != ']') return std::nullopt;
  const auto digits = brackets.substr(1, brackets.size() - 2);
  std::int32_t index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (index < 0 || static_cast<std::size_t>(index) >= limits::kListItemsMax) return std::nullopt;
  return index;
}

void collect_leaf_names(const TableType& table, const std::string& parent, std::vector<std::string>& names) {
  for (const auto& field : table.fields) {
    const auto name = (parent.empty() ? "" : parent + ".") + field.name + (field.list ? "[]" : "");
    if (field.kind == FieldKind::table) {
      collect_leaf_names(*field.table, name, names);
    } else {
      names.push_back(name);
    }
  }
}

/// Follows a path; collects the values of its leaf, in order.
void collect_values(const flatbuffers::Table& table, const TableType& type,
                    std::span<const FieldPath::Step> steps, std::vector<std::string>& values) {
  const auto& step = steps.front();
  const auto& field = type.fields[step.field];
  const event_walk::Element element(table, field);
  if (!element.present()) return;
  const auto visit = [&](std::uint32_t index) {
    if (field.kind == FieldKind::table) {
      if (steps.size() > 1) collect_values(element.table(index), *field.table, steps.subspan(1), values);
    } else {
      values.emplace_back();
      element.append_text(index, values.back());
    }
  };
  if (step.list && step.index != FieldPath::kEvery) {
    if (static_cast<std::uint32_t>(step.index) < element.size())
      visit(static_cast<std::uint32_t>(step.index));
    return;
  }
  for (std::uint32_t i = 0; i < element.size(); ++i) visit(i);
}

using Visit = std::function<void(const std::string&, std::string_view)>;

/// `path` and `value` are reused from leaf to leaf, so that a walk allocates little.
void visit_table(const flatbuffers::Table& table, const TableType& type, std::string& path,
                 std::string& value, const Visit& visit) {
  for (const auto& field : type.fields) {
    const event_walk::Element element(table, field);
    if (!element.present()) continue;
    const auto parent_size = path.size();
    if (!path.empty()) path.push_back('.');
    path += field.name;
    const auto name_end = path.size();
    for (std::uint32_t i = 0; i < element.size(); ++i) {
      path.resize(name_end);
      if (field.list) {
        path.push_back('[');
        path += std::to_string(i);
        path.push_back(']');
      }
      if (field.kind == FieldKind::table) {
        visit_table(element.table(i), *field.table, path, value, visit);
      } else {
        value.clear();
        element.append_text(i, value);
        visit(path, value);
      }
    }
    path.resize(parent_size);
  }
}

}  // namespace

Result<FieldPath> FieldPath::parse(std::string_view text) {
  if (text.empty()) return fail(ErrorKind::invalid, "an empty field path. Name a field of event.fbs.");
  FieldPath path;
  const auto* table = &event_schema::event_table();
  auto rest = text;
  while (true) {
    const auto dot = rest.find('.');
    const auto part = rest.substr(0, dot);
    const auto bracket = std::min(part.find('['), part.size());
    const auto name = part.substr(0, bracket);
    if (table == nullptr) {
      return fail(ErrorKind::invalid,
                  "`" + path.text_ + "` holds a value, so nothing can follow it. End the path there.");
    }
    const auto* field = table->find(name);
    if (field == nullptr) return fail(ErrorKind::invalid, unknown_field(name, *table, path.text_));
    const auto index = read_index(part.substr(bracket));
    if (!index) {
      return fail(ErrorKind::invalid, "`" + field->name +
                                          "` is followed by something that is not [] or an index below " +
                                          std::to_string(limits::kListItemsMax) + ". Mend the brackets.");
    }
    if (!field->list && bracket != part.size()) {
      return fail(ErrorKind::invalid, "`" + field->name + "` is not a list. Leave the brackets out.");
    }
    path.steps_.push_back({field->id, field->list, *index});
    append_step(path.text_, *field, path.steps_.back());
    path.kind_ = field->kind;
    table = field->table;
    if (dot == std::string_view::npos) return path;
    rest.remove_prefix(dot + 1);
  }
}

std::size_t FieldPath::open_lists() const {
  std::size_t count = 0;
  for (const auto& step : steps_) count += step.list && step.index == kEvery ? 1 : 0;
  return count;
}

bool FieldPath::covers(const FieldPath& other) const {
  if (steps_.size() > other.steps_.size()) return false;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const auto& mine = steps_[i];
    const auto& theirs = other.steps_[i];
    if (mine.field != theirs.field) return false;
    if (mine.list && mine.index != kEvery && mine.index != theirs.index) return false;
  }
  return true;
}

FieldPath FieldPath::at(std::span<const std::uint32_t> indices) const {
  FieldPath path;
  path.kind_ = kind_;
  path.steps_ = steps_;
  path.text_.reserve(text_.size() + 8);
  std::size_t next = 0;
  const auto* table = &event_schema::event_table();
  for (auto& step : path.steps_) {
    if (step.list && step.index == kEvery && next < indices.size()) {
      CAREHUB_ASSERT(indices[next] < limits::kListItemsMax, "a list index is below limits::kListItemsMax");
      step.index = static_cast<std::int32_t>(indices[next++]);
    }
    const auto& field = table->fields[step.field];
    append_step(path.text_, field, step);
    table = field.table;
  }
  return path;
}

const std::vector<std::string>& event_field_names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    collect_leaf_names(event_schema::event_table(), {}, names);
    return names;
  }();
  return all;
}

std::vector<std::string> enumeration_names(const FieldPath& path) {
  std::vector<std::string> names;
  const auto* enumeration = event_schema::field_at(path).enumeration;
  if (enumeration == nullptr) return names;
  for (const auto& name : enumeration->names) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

void visit_fields(const event::Event& event, const Visit& visit) {
  std::string path;
  std::string value;
  visit_table(event_walk::table_of(event), event_schema::event_table(), path, value, visit);
}

std::vector<std::string> field_values(const event::Event& event, const FieldPath& path) {
  std::vector<std::string> values;
  if (!path.steps().empty()) {
    collect_values(event_walk::table_of(event), event_schema::event_table(), path.steps(), values);
  }
  return values;
}

const event::Event* verified_event(BytesView bytes) {
  if (bytes.empty() || bytes.size() > limits::kEventBytesMax) return nullptr;
  flatbuffers::Verifier::Options options;
  options.max_depth = limits::kEventDepthMax;
  options.max_tables = limits::kEventTablesMax;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), options);
  if (!event::VerifyEventBuffer(verifier)) return nullptr;
  return event::GetEvent(bytes.data());
}

const char* event_type_name(event::EventType type) { return event::EnumNameEventType(type); }

event::EventType event_type_from(std::string_view name) {
  static const auto* types = event_schema::event_table().find("type")->enumeration;
  const auto value = types->value_of(name);
  return value < 0 ? event::EventType::unknown : static_cast<event::EventType>(value);
}

}  // namespace carehub
