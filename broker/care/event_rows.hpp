#pragma once

#include <memory>
#include <vector>

#include "broker/care/entry_finder.hpp"
#include "broker/care/filing.hpp"
#include "broker/care/past_reader.hpp"
#include "broker/core/engine.hpp"

/// Rows of a timeline: an event as the asker's role may see it, and what became of it at each subscription.
namespace carehub::care {

std::size_t rows_wanted(const wire::QueryT& query);
/// Whether it is of the types, channel and times that are asked for.
bool fits(const wire::QueryT& query, const PastEvent& past);

/// nullptr: the role may not see it. `visible`: the subscriptions that the asker may know of.
Result<std::unique_ptr<wire::RowT>> event_row(const PastReader& past, const PastEvent& shown_event,
                                              const std::vector<core::Subscription>& visible,
                                              const core::Ask& ask);
/// `all`: of those that are not visible, too. `finder`, where there is one, finds the entries that say so.
Result<std::vector<std::unique_ptr<wire::RowT>>> shown_rows(const PastReader& past,
                                                            const PastEvent& shown_event,
                                                            const std::vector<core::Subscription>& visible,
                                                            bool all, std::size_t record = 0,
                                                            EntryFinder* finder = nullptr);

}  // namespace carehub::care
