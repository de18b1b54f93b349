#pragma once

#include <string>
#include <string_view>

#include "broker/base/ids.hpp"

namespace carehub::care {

/// Where in the ledger it stands what a row of a timeline or of as_of tells: 0 where that is not told.
struct Filing {
  std::size_t record = 0;  // of the child's, where there are several; 1 is the one that was asked about
  Sequence decided_in = 0;
  Sequence acknowledged_in = 0;
  Sequence given_up_in = 0;

  bool operator==(const Filing&) const = default;
};

/// Goes as a row's `state`, such as `record 2, decided in 17`; empty where nothing is told.
std::string to_text(const Filing& filing);
/// What it does not know it leaves out.
Filing filing_from(std::string_view text);

}  // namespace carehub::care
