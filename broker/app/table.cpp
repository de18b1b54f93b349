#include "broker/app/table.hpp"

#include <algorithm>
#include <ostream>
#include <string_view>

namespace carehub::app {
namespace {

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown(text);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto byte = static_cast<unsigned char>(shown[i]);
    // C0, DEL, and C1 (C2 80 to C2 9F in UTF-8): a name must not steer the reader's terminal.
    const bool c1 = byte == 0xC2U && i + 1 < shown.size() && static_cast<unsigned char>(shown[i + 1]) < 0xA0U;
    if (byte < 0x20U || byte == 0x7FU) {
      shown[i] = '?';
    } else if (c1) {
      shown.replace(i, 2, "?");
    }
  }
  return shown;
}

void print_table(std::ostream& out, const std::vector<std::string>& header,
                 const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return;
  std::vector<std::size_t> widths;
  for (const auto& name : header) widths.push_back(code_points(name));
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], code_points(row[i]));
    }
  }
  const auto print = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size() && i < widths.size(); ++i) {
      line += cells[i];
      line.append(widths[i] - code_points(cells[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  };
  print(header);
  for (const auto& row : rows) print(row);
}

}  // namespace carehub::app
