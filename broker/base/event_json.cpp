#include "broker/base/event_walk.hpp"
#include "broker/base/utf8.hpp"

namespace carehub {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD: a sender's text may be no UTF-8

/// RFC 8259 section 7.
void append_string(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  while (!text.empty()) {
    const auto size = utf8_sequence(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (size == 0) {
      out += kReplacement;
    } else if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(text.front());
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7F) {
      out += "\\u00";
      out.push_back(kDigits[c >> 4U]);
      out.push_back(kDigits[c & 15U]);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out.push_back('"');
}

class JsonWriter {
 public:
  JsonWriter(std::string& out, int indent) : out_(out), indent_(indent) {}

  void write_table(const flatbuffers::Table& table, const event_schema::TableType& type) {
    bool first = true;
    out_.push_back('{');
    ++depth_;
    for (const auto& field : type.fields) {
      const event_walk::Element element(table, field);
      if (!element.present()) continue;
      separate(first);
      append_string(out_, field.name);
      out_ += indent_ > 0 ? ": " : ":";
      field.list ? write_list(element, field) : write_value(element, field, 0);
    }
    close('}', first);
  }

 private:
  void write_list(const event_walk::Element& element, const event_schema::Field& field) {
    bool first = true;
    out_.push_back('[');
    ++depth_;
    for (std::uint32_t i = 0; i < element.size(); ++i) {
      separate(first);
      write_value(element, field, i);
    }
    close(']', first);
  }

  void write_value(const event_walk::Element& element, const event_schema::Field& field,
                   std::uint32_t index) {
    if (field.kind == FieldKind::table) return write_table(element.table(index), *field.table);
    if (field.kind == FieldKind::integer) return element.append_text(index, out_);
    value_.clear();
    element.append_text(index, value_);
    append_string(out_, value_);
  }

  void separate(bool& first) {
    if (!first) out_.push_back(',');
    first = false;
    new_line();
  }

  void close(char bracket, bool empty) {
    --depth_;
    if (!empty) new_line();
    out_.push_back(bracket);
  }

  void new_line() {
    if (indent_ <= 0) return;
    out_.push_back('\n');
    out_.append(static_cast<std::size_t>(depth_) * static_cast<std::size_t>(indent_), ' ');
  }

  std::string& out_;
  std::string value_;
  int indent_;
  int depth_ = 0;
};

}  // namespace

std::string event_to_json(const event::Event& event, int indent) {
  std::string out;
  out.reserve(1024);
  JsonWriter(out, indent).write_table(event_walk::table_of(event), event_schema::event_table());
  return out;
}

}  // namespace carehub
