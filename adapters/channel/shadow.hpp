#pragma once

#include <memory>
#include <string>

#include "adapters/channel/channel_config.hpp"
#include "adapters/channel/pipe.hpp"

/// A shadow: an outbound channel that does all but send, for running two systems side by side.
namespace carehub::adapters {

/// Renders with `real`, and makes of each delivery the line that says what `config.transport` would have
/// sent: method, target, headers without secrets, body. What cannot be rendered is a line with the reason, so
/// that a comparison finds it and nothing becomes a dead letter. Thread-safe; opens nothing.
std::unique_ptr<Renderer> make_shadow_renderer(const ChannelConfig& config, std::unique_ptr<Renderer> real);

}  // namespace carehub::adapters
