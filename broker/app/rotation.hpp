#pragma once

#include <string>

#include "broker/app/surroundings.hpp"
#include "broker/server/config.hpp"
#include "broker/server/rotate.hpp"

/// What the commands that replace a stopped hub's keys have in common.
namespace carehub::app {

/// Of the hub's configuration: whose key, and for the record who replaces it and why.
void describe_rotation(server::Rotation& rotation, const server::HubConfig& config, const std::string& by,
                       const std::string& reason, const Surroundings& surroundings);

/// Says under which entry it is on record, `told` before the number and `then` behind it; or what went wrong.
ExitCode tell_rotated(const Result<Sequence>& recorded, const std::string& told, const std::string& then,
                      bool json, Surroundings& surroundings);

}  // namespace carehub::app
