#pragma once

#include <string>

#include "schemas/wire_generated.h"

/// Rows of the audit trail, a line each: who did what, when and why.
namespace carehub::app {

std::string trail_json(const wire::RowT& row);

std::string trail_csv_header();
std::string trail_csv(const wire::RowT& row);

}  // namespace carehub::app
