#include "broker/care/report_tally.hpp"

#include <algorithm>
#include <bit>

namespace carehub::care {
namespace {

constexpr std::uint64_t kExactBelow = 32;
constexpr unsigned kPartBits = 4;  // sixteen places

/// The largest value that shares a place with this one.
std::uint64_t place_of(std::uint64_t value) {
  if (value < kExactBelow) return value;
  const auto width = static_cast<unsigned>(std::bit_width(value)) - 1 - kPartBits;
  return value | ((std::uint64_t{1} << width) - 1);
}

}  // namespace

void ReportTally::add(std::string_view group, std::string_view name, std::string_view by,
                      std::uint64_t count) {
  const Place place{group, name, by};
  if (const auto found = counts_.find(place); found != counts_.end()) {
    found->second += count;
    return;
  }
  auto& names = names_[std::string(group)];
  if (names < kNamesMax) {
    ++names;
    counts_.emplace(place, count);
  } else {
    counts_[{std::string(group), std::string(kOthers), std::string()}] += count;
  }
}

std::uint64_t ReportTally::of(std::string_view group, std::string_view name, std::string_view by) const {
  const auto found = counts_.find(Place{group, name, by});
  return found == counts_.end() ? 0 : found->second;
}

std::vector<core::Figure> ReportTally::figures() const {
  std::vector<core::Figure> figures;
  figures.reserve(counts_.size());
  for (const auto& [place, count] : counts_)
    figures.push_back({std::get<0>(place), std::get<1>(place), std::get<2>(place), count});
  return figures;
}

void Spread::add(std::uint64_t value) {
  ++places_[place_of(value)];
  ++count_;
  longest_ = std::max(longest_, value);
}

std::uint64_t Spread::at_percent(std::uint64_t percent) const {
  constexpr std::uint64_t kWhole = 100;
  // Rounded up, and without a product that could overflow.
  const auto rank = count_ / kWhole * percent + (count_ % kWhole * percent + kWhole - 1) / kWhole;
  std::uint64_t seen = 0;
  for (const auto& [place, count] : places_) {
    seen += count;
    if (seen >= rank) return std::min(place, longest_);
  }
  return 0;
}

}  // namespace carehub::care
