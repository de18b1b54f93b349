#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/core/policy.hpp"

namespace carehub::core {

/// Reads one [[rule]] of a policy with these agreements; nullopt where it has a fault, which goes into its
/// document.
std::optional<DisclosureRule> read_rule(ConfigTable table, const std::vector<std::string>& agreements,
                                        std::optional<std::uint8_t> young_person_from);

}  // namespace carehub::core
