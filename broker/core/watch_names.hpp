#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/core/engine.hpp"

namespace carehub::core {

/// Names of watches start with this in the ledger; no durable subscription's may.
constexpr char kWatchMark = '~';
/// What the ledger calls a connection's watch: ~AGENCY:LABEL@CONNECTION; an operator's is
/// ~:CLIENT:LABEL@CONNECTION.
std::string watch_name(const Peer& peer, const std::string& label);
/// Whose a watch is by its name, empty: an operator's. nullopt: no watch, or an old one's name, which does
/// not say it (~LABEL@CONNECTION).
std::optional<std::string_view> agency_of_watch(std::string_view name);

}  // namespace carehub::core
