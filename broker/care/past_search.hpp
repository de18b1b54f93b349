#pragma once

#include "broker/base/result.hpp"
#include "schemas/wire_generated.h"

namespace carehub::care {

/// A question whose answer has to be looked for in the ledger: a bounded part at a time, so that nothing
/// else waits for it, and one page in the end. It sees what is durable. For one thread.
class PastSearch {
 public:
  virtual ~PastSearch() = default;
  /// Looks at the next part; true once the page is whole.
  virtual Result<bool> advance() = 0;
  virtual wire::PageT take() = 0;
};

}  // namespace carehub::care
