#pragma once

#include <string>

#include "broker/app/json_line.hpp"
#include "schemas/wire_generated.h"

/// Rows of a timeline, a line each: an event as a role may see it, or what became of it at one subscription.
namespace carehub::app {

std::string timeline_json(const wire::RowT& row);

std::string timeline_csv_header();
std::string timeline_csv(const wire::RowT& row);

/// A number that is not told is 0.
void add_number(JsonLine& line, const char* name, std::uint64_t number);
std::string number_text(std::uint64_t number);

/// Empty where there is none.
std::string type_text(event::EventType type);
std::string time_text(std::int64_t at_us);

}  // namespace carehub::app
