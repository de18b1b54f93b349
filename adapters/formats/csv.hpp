#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/formats/charset.hpp"
#include "broker/base/result.hpp"

/// CSV files (RFC 4180), read row by row with the header's names, and written for programs that people open.
namespace carehub::adapters::csv {

/// A column by its name in the header; case and spaces around it do not matter.
struct Path {
  std::string column;
};

class Header {
 public:
  Header() = default;
  explicit Header(std::vector<std::string> names);
  /// The column's number, or nullopt.
  std::optional<std::size_t> find(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;  // as written
  std::vector<std::string> keys_;   // lower case, trimmed
};

struct Row {
  std::uint32_t line = 0;  // 1-based, where the row starts
  std::vector<std::string> fields;
  std::string text;  // the row as it stood in the file, in UTF-8, without its line end
};

/// A row that cannot be read.
struct BadRow {
  std::uint32_t line = 0;
  std::string code;  // too_long, too_few_columns, too_many_columns, unclosed_quote, bad_quote
  std::string text;
  std::string original;  // the row in UTF-8, cut at limits::kCsvFieldBytesMax
};

struct File {
  Header header;
  std::vector<Row> rows;
  std::vector<BadRow> bad_rows;
};

/// Reads a whole file: byte order mark, CRLF, LF or CR, quoted fields with line ends in them. UTF-8 where it
/// is valid, else `fallback`. Blank rows are skipped. A row that is wrong is set aside and the others go on;
/// a field longer than limits::kCsvFieldBytesMax makes its row bad, and reading goes on at the line after
/// that row's start, so that one lone quote cannot eat a file. Error `invalid`: no header, a column twice,
/// more columns than limits::kCsvColumnsMax.
Result<File> read(std::string_view bytes, char delimiter, Charset fallback);

/// One row with CRLF. Fields that hold the delimiter, quotes or line ends, or begin or end with a blank, are
/// quoted; a field that a spreadsheet would take for a formula (= + - @ tab or CR first) gets an apostrophe
/// before it, numbers excepted.
std::string write_row(const std::vector<std::string>& fields, char delimiter);

}  // namespace carehub::adapters::csv
