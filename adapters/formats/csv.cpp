#include "adapters/formats/csv.hpp"

#include <csv.h>

#include <algorithm>
#include <memory>
#include <set>

#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"

namespace carehub::adapters::csv {
namespace {

std::string key_of(std::string_view name) {
  while (!name.empty() && static_cast<unsigned char>(name.front()) <= ' ') name.remove_prefix(1);
  while (!name.empty() && static_cast<unsigned char>(name.back()) <= ' ') name.remove_suffix(1);
  std::string key(name);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return key;
}

/// One line of a text with its end, off the front.
std::string_view line_at(std::string_view text, std::size_t at) {
  const auto end = text.find_first_of("\r\n", at);
  if (end == std::string_view::npos) return text.substr(at);
  const bool crlf = text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n';
  return text.substr(at, end + (crlf ? 2 : 1) - at);
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool blank(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return is_blank(c) || c == '\r' || c == '\n'; });
}

struct FreeParser {
  void operator()(csv_parser* parser) const {
    csv_free(parser);
    delete parser;
  }
};

/// libcsv, fed line by line, so that it is known where each row starts and when one does not end.
class RowParser {
 public:
  explicit RowParser(char delimiter) : delimiter_(delimiter) { restart(); }

  /// Forgets a row that was begun.
  void restart() {
    parser_.reset(new csv_parser);
    csv_init(parser_.get(), CSV_STRICT);
    csv_set_delim(parser_.get(), static_cast<unsigned char>(delimiter_));
    fields_.clear();
    ended_ = false;
  }

  /// False: a quote stands where none may.
  bool feed(std::string_view line) {
    return csv_parse(parser_.get(), line.data(), line.size(), take_field, end_row, this) == line.size();
  }

  bool ended() const { return ended_; }
  std::vector<std::string> take() {
    ended_ = false;
    return std::exchange(fields_, {});
  }

 private:
  static void take_field(void* text, std::size_t size, void* self) {
    static_cast<RowParser*>(self)->fields_.emplace_back(static_cast<const char*>(text), size);
  }
  static void end_row(int /*end*/, void* self) { static_cast<RowParser*>(self)->ended_ = true; }

  char delimiter_;
  std::unique_ptr<csv_parser, FreeParser> parser_;
  std::vector<std::string> fields_;
  bool ended_ = false;
};

/// Goes over a text row by row.
class Reader {
 public:
  Reader(std::string_view text, char delimiter) : text_(text), parser_(delimiter) {}

  Result<File> read() {
    File file;
    bool header = false;
    while (at_ < text_.size()) {
      const std::string_view first = line_at(text_, at_);
      if (blank(first)) {
        advance(first.size());
        continue;
      }
      Row row{.line = line_, .fields = {}, .text = {}};
      if (auto bad = take_row(row, first)) {
        if (!header)
          return fail(ErrorKind::invalid, "the header (line " + std::to_string(line_) + ") " + bad->text);
        file.bad_rows.push_back(std::move(*bad));
        advance(first.size());
        continue;
      }
      if (!header) {
        if (auto good = take_header(std::move(row.fields), file.header); !good)
          return tl::unexpected(good.error());
        header = true;
        continue;
      }
      judge(std::move(row), file);
    }
    if (!header) return fail(ErrorKind::invalid, "the file is empty; begin it with a header of column names");
    return file;
  }

 private:
  void advance(std::size_t size) {
    at_ += size;
    ++line_;
  }

  static BadRow bad_row(std::uint32_t line, const char* code, const char* text, std::string_view original) {
    return {line, code, text, std::string(original.substr(0, limits::kCsvFieldBytesMax))};
  }

  /// Reads one row and moves behind it; what is wrong with it otherwise, without moving.
  std::optional<BadRow> take_row(Row& row, std::string_view first) {
    parser_.restart();
    std::size_t end = at_;
    std::uint32_t lines = 0;
    while (!parser_.ended()) {
      if (end >= text_.size()) {
        return bad_row(line_, "unclosed_quote", "has a quote that is not closed; close or double it", first);
      }
      std::string_view line = line_at(text_, end);
      end += line.size();
      ++lines;
      const bool last = line.back() != '\n' && line.back() != '\r';
      if (!parser_.feed(line) || (last && !parser_.feed("\n"))) {
        return bad_row(line_, "bad_quote", "has a quote inside a field; quote the field and double the quote",
                       first);
      }
      // An open field began on the row's first line or later.
      const std::size_t open = end - at_;
      if (!parser_.ended() && open > first.size() && open - first.size() > limits::kCsvFieldBytesMax) {
        return bad_row(line_, "too_long", "has a field over 64 kB; is a quote left open?", first);
      }
    }
    row.fields = parser_.take();
    const auto too_long = [](const std::string& field) { return field.size() > limits::kCsvFieldBytesMax; };
    if (std::any_of(row.fields.begin(), row.fields.end(), too_long)) {
      return bad_row(line_, "too_long", "has a field over 64 kB; is a quote left open?", first);
    }
    row.text = text_.substr(at_, end - at_);
    while (!row.text.empty() && (row.text.back() == '\n' || row.text.back() == '\r')) row.text.pop_back();
    at_ = end;
    line_ += lines;
    return std::nullopt;
  }

  static Result<void> take_header(std::vector<std::string> names, Header& header) {
    if (names.size() > limits::kCsvColumnsMax) {
      return fail(ErrorKind::invalid, "the header has more than " + std::to_string(limits::kCsvColumnsMax) +
                                          " columns; send fewer");
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (key_of(names[i]).empty() || seen.insert(key_of(names[i])).second) continue;
      return fail(ErrorKind::invalid,
                  "the header names column " + std::to_string(i + 1) + " twice; rename one");
    }
    header = Header(std::move(names));
    return {};
  }

  static void judge(Row row, File& file) {
    const std::size_t columns = file.header.names().size();
    if (row.fields.size() < columns) {
      file.bad_rows.push_back(bad_row(row.line, "too_few_columns",
                                      "has fewer fields than the header; fill the row up", row.text));
    } else if (row.fields.size() > columns) {
      file.bad_rows.push_back(bad_row(row.line, "too_many_columns",
                                      "has more fields than the header; quote the delimiter", row.text));
    } else {
      file.rows.push_back(std::move(row));
    }
  }

  std::string_view text_;
  RowParser parser_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

/// What a spreadsheet would run as a formula: OWASP's list for CSV injection. A plain number or telephone is
/// none.
bool formula(std::string_view field) {
  if (field.empty()) return false;
  const char first = field.front();
  if (first == '\t' || first == '\r' || first == '=' || first == '@') return true;
  if (first != '+' && first != '-') return false;
  return !std::all_of(field.begin() + 1, field.end(),
                      [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == ' '; });
}

}  // namespace

Header::Header(std::vector<std::string> names) : names_(std::move(names)) {
  for (const std::string& name : names_) keys_.push_back(key_of(name));
}

std::optional<std::size_t> Header::find(std::string_view name) const {
  const auto found = std::find(keys_.begin(), keys_.end(), key_of(name));
  if (found == keys_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - keys_.begin());
}

Result<File> read(std::string_view bytes, char delimiter, Charset fallback) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  std::string converted;
  if (!is_utf8(bytes)) {
    converted = to_utf8(
        bytes, fallback == Charset::utf8 || fallback == Charset::ascii ? Charset::windows1252 : fallback);
    bytes = converted;
  }
  return Reader(bytes, delimiter).read();
}

std::string write_row(const std::vector<std::string>& fields, char delimiter) {
  std::string out;
  bool first = true;
  for (const std::string& field : fields) {
    if (!first) out += delimiter;
    first = false;
    const std::string safe = (formula(field) ? "'" : "") + field;
    // Readers take blanks off the ends of a field that is not quoted.
    const bool plain = safe.find_first_of("\"\r\n") == std::string::npos &&
                       safe.find(delimiter) == std::string::npos &&
                       (safe.empty() || (!is_blank(safe.front()) && !is_blank(safe.back())));
    if (plain) {
      out += safe;
      continue;
    }
    out += '"';
    for (const char c : safe) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  return out + "\r\n";
}

}  // namespace carehub::adapters::csv
