#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "broker/core/report_figures.hpp"

namespace carehub::care {

/// Counts by group, name and whose. What others call things is bounded: beyond it one more name has one
/// figure with all such.
class ReportTally {
 public:
  void add(std::string_view group, std::string_view name, std::string_view by, std::uint64_t count = 1);
  std::uint64_t of(std::string_view group, std::string_view name, std::string_view by) const;
  /// In order of group, name and whose.
  std::vector<core::Figure> figures() const;

  static constexpr std::size_t kNamesMax = 384;  // of one group
  static constexpr std::string_view kOthers = "(others)";

 private:
  using Place = std::tuple<std::string, std::string, std::string>;
  std::map<Place, std::uint64_t> counts_;
  std::map<std::string, std::size_t, std::less<>> names_;  // of each group
};

/// How long things took, counted in whole numbers of a unit, from which the same percentiles follow in
/// whatever order they came. Below 32 each number has its own place, above it sixteen places lie between a
/// power of two and the next, so that what is told is never less than the exact value and at most a sixteenth
/// more.
class Spread {
 public:
  void add(std::uint64_t value);
  std::uint64_t count() const { return count_; }
  /// The value that this many in a hundred do not exceed, by nearest rank; 0 where there is none.
  std::uint64_t at_percent(std::uint64_t percent) const;
  std::uint64_t longest() const { return longest_; }

 private:
  std::map<std::uint64_t, std::uint64_t> places_;  // by the largest value of each
  std::uint64_t count_ = 0;
  std::uint64_t longest_ = 0;
};

}  // namespace carehub::care
