#pragma once

#include <string>

#include "schemas/wire_generated.h"

/// Rows of a timeline, a line each: an event as a role may see it, or what became of it at one subscription.
namespace carehub::app {

std::string timeline_json(const wire::RowT& row);

std::string timeline_csv_header();
std::string timeline_csv(const wire::RowT& row);

/// The number of the child's record that the event is filed under; 0: there is one alone.
std::size_t record_of(const wire::RowT& row);

/// Empty where there is none.
std::string type_text(event::EventType type);
std::string time_text(std::int64_t at_us);

}  // namespace carehub::app
