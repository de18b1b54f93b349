#pragma once

#include <string>
#include <vector>

#include "broker/base/result.hpp"
#include "broker/core/rules.hpp"

namespace carehub::core {

/// What decides who an agency is to the hub, as the ledger keeps it (ConfigChanged): id, kind, codes, what it
/// may publish and its roles. The same for the same agencies, in whatever order they were written; no
/// secrets.
std::string agencies_text(const std::vector<Agency>& agencies);

/// Reads what agencies_text() wrote. Error `corrupt`: it is something else.
Result<std::vector<Agency>> agencies_from(const std::string& text);

}  // namespace carehub::core
