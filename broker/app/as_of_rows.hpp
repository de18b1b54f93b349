#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "schemas/wire_generated.h"

/// Rows of what had been offered or withheld by a time, a line each, with the numbers of the entries that say
/// so.
namespace carehub::app {

/// Of an entry that has been erased nothing is known but that: neither offered nor withheld.
bool is_erased(const wire::RowT& row);

std::string as_of_json(const wire::RowT& row);

std::string as_of_csv_header();
std::string as_of_csv(const wire::RowT& row);

/// The hub sends the view once for each rule of a policy of an event.
class AsOfViews {
 public:
  /// In the order in which the rows come.
  void fill(wire::RowT& row);

 private:
  std::uint64_t sequence_ = 0;
  std::map<std::pair<std::string, std::uint64_t>, std::vector<std::uint8_t>> views_;
};

}  // namespace carehub::app
