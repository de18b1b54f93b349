// What a school or a council drops into a folder: a file that may be CSV, in any character set.
#include <algorithm>
#include <cstdlib>

#include "adapters/formats/csv.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"

using namespace carehub;
namespace csv = adapters::csv;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// What is written is one row again, and no cell of it is a formula.
void write_again(const csv::File& file, const csv::Row& row, char delimiter) {
  auto text = csv::write_row(file.header.names(), delimiter);
  text += csv::write_row(row.fields, delimiter);
  const auto again = csv::read(text, delimiter, adapters::Charset::windows1252);
  // A header that a spreadsheet would take for a formula gets its apostrophe, too; it may then be another's
  // name.
  if (!again) return;
  require(again->rows.size() + again->bad_rows.size() <= 1);
  if (again->rows.empty()) return;
  const auto& fields = again->rows.front().fields;
  require(fields.size() == row.fields.size());
  for (std::size_t at = 0; at < fields.size(); ++at) {
    require(fields[at] == row.fields[at] || fields[at] == "'" + row.fields[at]);
    if (fields[at].empty()) continue;
    const bool begins_one = std::string_view("=@\t\r").find(fields[at].front()) != std::string_view::npos;
    require(!begins_one);
  }
}

}  // namespace

/// The first byte says what stands between the cells.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr std::string_view kDelimiters = ",;\t|";
  const char delimiter = kDelimiters[data[0] % kDelimiters.size()];
  const auto file = csv::read(bytes, delimiter, adapters::Charset::windows1252);
  if (!file) return 0;
  require(file->header.names().size() <= limits::kCsvColumnsMax);
  std::uint32_t line = 0;
  for (const auto& row : file->rows) {
    require(row.line > line);
    line = row.line;
    require(row.fields.size() == file->header.names().size());
    for (const auto& field : row.fields) {
      require(is_utf8(field));
      require(field.size() <= limits::kCsvFieldBytesMax);
    }
    if (row.line < 20) write_again(*file, row, delimiter);
  }
  for (const auto& bad : file->bad_rows) require(!bad.code.empty() && bad.line > 0 && is_utf8(bad.original));
  return 0;
}
