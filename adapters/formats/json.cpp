#include "adapters/formats/json.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"

namespace carehub::adapters::json {
namespace {

namespace bj = boost::json;

const bj::value& node_of(const void* node) { return *static_cast<const bj::value*>(node); }

/// Where `offset` is: line and column from 1.
std::string line_and_column(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const std::size_t column = last == std::string_view::npos ? offset + 1 : offset - last;
  return "line " + std::to_string(lines + 1) + ", column " + std::to_string(column);
}

/// The slot at `path`, made where it is missing.
bj::value& slot(bj::value& root, const Path& path, std::span<const std::uint32_t> indices) {
  bj::value* at = &root;
  std::size_t next = 0;
  for (const Path::Step& step : path.steps) {
    if (!step.key.empty()) {
      if (!at->is_object()) at->emplace_object();
      at = &at->get_object()[step.key];
      continue;
    }
    std::size_t index = static_cast<std::size_t>(std::max(step.index, 0));
    if (step.index == Path::kEvery) index = next < indices.size() ? indices[next++] : 0;
    if (!at->is_array()) at->emplace_array();
    if (at->get_array().size() <= index) at->get_array().resize(index + 1);
    at = &at->get_array()[index];
  }
  return *at;
}

/// Closes the gaps that lists filled out of order left.
void close_gaps(bj::value& value) {
  if (value.is_array()) {
    bj::array kept;
    for (bj::value& element : value.get_array()) {
      close_gaps(element);
      if (!element.is_null()) kept.push_back(std::move(element));
    }
    value = std::move(kept);
  } else if (value.is_object()) {
    for (auto& member : value.get_object()) close_gaps(member.value());
  }
}

void write(const bj::value& value, std::string& out, std::size_t depth) {
  const std::string inner(2 * (depth + 1), ' ');
  const auto list = [&](const auto& range, char open, char close, const auto& one) {
    out += open;
    bool first = true;
    for (const auto& item : range) {
      out += first ? "\n" : ",\n";
      out += inner;
      one(item);
      first = false;
    }
    if (!first) out += "\n" + std::string(2 * depth, ' ');
    out += close;
  };
  if (value.is_object()) {
    list(value.get_object(), '{', '}', [&](const bj::key_value_pair& member) {
      out += bj::serialize(bj::string_view(member.key())) + ": ";
      write(member.value(), out, depth + 1);
    });
  } else if (value.is_array()) {
    list(value.get_array(), '[', ']', [&](const bj::value& element) { write(element, out, depth + 1); });
  } else {
    out += bj::serialize(value);
  }
}

}  // namespace

Result<Path> Path::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorKind::invalid,
                "`" + std::string(text) +
                    "` is not a place in a JSON document; write person.name, items[0].x or items[].x");
  };
  if (!is_utf8(text)) return fail(ErrorKind::invalid, "a place in a JSON document is written in UTF-8");
  Path path;
  std::string_view rest = text;
  if (rest.starts_with('$')) {
    rest.remove_prefix(1);
    if (rest.starts_with('.')) rest.remove_prefix(1);
    if (rest.empty()) return path;
  }
  if (rest.empty()) return wrong();
  bool key_next = !rest.starts_with('[');
  while (!rest.empty()) {
    if (key_next) {
      const auto end = std::min(rest.find_first_of(".["), rest.size());
      if (end == 0 || rest.substr(0, end).find(']') != std::string_view::npos) return wrong();
      path.steps.push_back({std::string(rest.substr(0, end)), 0});
      rest.remove_prefix(end);
    } else {
      const auto close = rest.find(']');
      if (close == std::string_view::npos) return wrong();
      const std::string_view inside = rest.substr(1, close - 1);
      std::int32_t index = kEvery;
      if (!inside.empty()) {
        const auto [end, error] = std::from_chars(inside.data(), inside.data() + inside.size(), index);
        if (error != std::errc{} || end != inside.data() + inside.size() || index < 0 || index > 9999)
          return wrong();
      }
      path.steps.push_back({{}, index});
      rest.remove_prefix(close + 1);
    }
    if (rest.empty()) break;
    key_next = rest.starts_with('.');
    if (key_next) {
      rest.remove_prefix(1);
      if (rest.empty()) return wrong();
    } else if (!rest.starts_with('[')) {
      return wrong();
    }
  }
  if (path.steps.size() > Document::kDepthMax)
    return fail(ErrorKind::invalid, "`" + std::string(text) + "` is deeper than a document may be, " +
                                        std::to_string(Document::kDepthMax) + " levels");
  return path;
}

std::size_t Path::open_lists() const {
  return static_cast<std::size_t>(std::count_if(
      steps.begin(), steps.end(), [](const Step& s) { return s.key.empty() && s.index == kEvery; }));
}

std::string Path::text(std::string_view root, std::span<const std::uint32_t> indices) const {
  std::string out(root);
  std::size_t next = 0;
  for (const Step& step : steps) {
    if (!step.key.empty()) {
      out += "." + step.key;
    } else if (step.index != kEvery) {
      out += "[" + std::to_string(step.index) + "]";
    } else {
      out += next < indices.size() ? "[" + std::to_string(indices[next]) + "]" : "[]";
      ++next;
    }
  }
  return out;
}

Kind Value::kind() const {
  switch (node_of(node_).kind()) {
    case bj::kind::null: return Kind::null;
    case bj::kind::bool_: return Kind::boolean;
    case bj::kind::string: return Kind::text;
    case bj::kind::array: return Kind::array;
    case bj::kind::object: return Kind::object;
    default: return Kind::number;
  }
}

std::string Value::scalar() const {
  const bj::value& node = node_of(node_);
  if (node.is_string()) return std::string(text());
  if (node.is_bool()) return node.get_bool() ? "true" : "false";
  if (node.is_null() || node.is_array() || node.is_object()) return {};
  if (const auto* real = node.if_double()) {
    char buffer[32];
    const auto [end, error] = std::to_chars(std::begin(buffer), std::end(buffer), *real);
    return error == std::errc{} ? std::string(std::begin(buffer), end) : std::string{};
  }
  return bj::serialize(node);
}

std::string_view Value::text() const {
  const auto* text = node_of(node_).if_string();
  return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

std::size_t Value::size() const {
  const bj::value& node = node_of(node_);
  if (const auto* array = node.if_array()) return array->size();
  if (const auto* object = node.if_object()) return object->size();
  return 0;
}

Value Value::element(std::size_t index) const { return Value(&node_of(node_).get_array().at(index)); }

std::string Value::member_text(std::string_view name) const {
  const auto found = member(name);
  return found ? std::string(found->text()) : "";
}

std::optional<Value> Value::member(std::string_view name) const {
  const auto* object = node_of(node_).if_object();
  if (object == nullptr) return std::nullopt;
  const bj::value* found = object->if_contains(bj::string_view(name.data(), name.size()));
  if (found == nullptr) return std::nullopt;
  return Value(found);
}

void Value::each_member(const std::function<void(std::string_view, Value)>& visit) const {
  const auto* object = node_of(node_).if_object();
  if (object == nullptr) return;
  for (const auto& member : *object) {
    visit(std::string_view(member.key().data(), member.key().size()), Value(&member.value()));
  }
}

std::optional<Value> Value::at(const Path& path, std::span<const std::uint32_t> indices) const {
  const bj::value* node = &node_of(node_);
  std::size_t next = 0;
  for (const Path::Step& step : path.steps) {
    if (!step.key.empty()) {
      const auto* object = node->if_object();
      node = object == nullptr ? nullptr : object->if_contains(step.key);
    } else {
      std::size_t index = static_cast<std::size_t>(std::max(step.index, 0));
      if (step.index == Path::kEvery) index = next < indices.size() ? indices[next++] : 0;
      const auto* array = node->if_array();
      node = array == nullptr || index >= array->size() ? nullptr : &(*array)[index];
    }
    if (node == nullptr) return std::nullopt;
  }
  return Value(node);
}

std::size_t Value::count(const Path& path, std::span<const std::uint32_t> indices) const {
  Path list;
  std::size_t opens = 0;
  for (const Path::Step& step : path.steps) {
    if (step.key.empty() && step.index == Path::kEvery && opens++ == indices.size()) break;
    list.steps.push_back(step);
  }
  const auto found = at(list, indices);
  return found && found->kind() == Kind::array ? found->size() : 0;
}

std::string Value::serialized() const { return bj::serialize(node_of(node_)); }

struct Document::Impl {
  bj::value root;
};

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

namespace {

/// A whole number of more than 64 bits was read as the next one that a double holds, 1e400 as infinite, and
/// 0e400 as no number.
bool has_too_large(const bj::value& value) {
  if (const auto* number = value.if_double()) return !(std::abs(*number) < 0x1p63);
  if (const auto* list = value.if_array()) return std::any_of(list->begin(), list->end(), has_too_large);
  const auto* object = value.if_object();
  return object != nullptr && std::any_of(object->begin(), object->end(),
                                          [](const auto& member) { return has_too_large(member.value()); });
}

}  // namespace

Result<Document> Document::parse(std::string_view text) {
  if (text.size() > limits::kHttpBodyBytesMax) {
    return fail(ErrorKind::invalid, "the JSON document is too long; send fewer events at a time");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  bj::parse_options options;
  options.max_depth = kDepthMax;
  bj::stream_parser parser({}, options);
  bj::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  std::size_t offset = read;
  if (!error && read < text.size()) error = bj::error::extra_data;
  if (!error) {
    parser.finish(error);
    offset = text.size();
  }
  if (error) {
    return fail(ErrorKind::invalid, "the JSON is not well-formed at " + line_and_column(text, offset) + " (" +
                                        error.message() + "); mend it there");
  }
  auto root = parser.release();
  if (has_too_large(root))
    return fail(ErrorKind::invalid, "the JSON has a number that does not fit into 64 bits; send it as text");
  return Document(std::make_unique<Impl>(Impl{std::move(root)}));
}

Value Document::root() const { return Value(&impl_->root); }

struct Writer::Impl {
  bj::value root = bj::object();
};

Writer::Writer() : impl_(std::make_unique<Impl>()) {}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;

void Writer::set_text(const Path& path, std::span<const std::uint32_t> indices, std::string_view value) {
  slot(impl_->root, path, indices) = bj::string_view(value.data(), value.size());
}

void Writer::set_number(const Path& path, std::span<const std::uint32_t> indices, std::int64_t value) {
  slot(impl_->root, path, indices) = value;
}

void Writer::set_boolean(const Path& path, std::span<const std::uint32_t> indices, bool value) {
  slot(impl_->root, path, indices) = value;
}

Result<void> Writer::set_json(const Path& path, std::span<const std::uint32_t> indices,
                              std::string_view json) {
  bj::error_code error;
  bj::value value = bj::parse(bj::string_view(json.data(), json.size()), error);
  if (error) return fail(ErrorKind::invalid, "the nested JSON is not well-formed");
  slot(impl_->root, path, indices) = std::move(value);
  return {};
}

std::string Writer::finish(bool indented) const {
  bj::value closed = impl_->root;
  close_gaps(closed);
  if (!indented) return bj::serialize(closed);
  std::string out;
  write(closed, out, 0);
  return out;
}

std::string quoted(std::string_view text) { return bj::serialize(bj::string_view(text.data(), text.size())); }

}  // namespace carehub::adapters::json
