#pragma once

#include <set>
#include <string>

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"

namespace carehub::core {

/// Reports of a quarter's figures: when they are first made, they are written down.
class Reports {
 public:
  explicit Reports(const DeliveryContext& context) : context_(context) {}

  /// Why nothing is asked for that could be made: a quarter that there is, over a definition that there is.
  static std::optional<std::string> fault(const wire::Query& query);
  /// What is asked for, as the record says it.
  static std::string name(const wire::Query& query);

  /// Answers with the figures that were counted, `page` as care::Report makes it: writes them down where
  /// nobody has made this report before and the quarter is over.
  Result<void> end(const Ask& ask, wire::PageT page, Timestamp now, Decision& out);

 private:
  DeliveryContext context_;
  std::set<std::string> made_;  // since the start: what a search that ends now may have missed
};

}  // namespace carehub::core
