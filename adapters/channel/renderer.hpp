#pragma once

#include <memory>
#include <string>

#include "adapters/channel/pack.hpp"
#include "adapters/channel/pipe.hpp"

/// Views in the form that a partner reads.
namespace carehub::adapters {

struct RendererOptions {
  std::string hub = "carehub";  // first part of a CloudEvent's source
};

/// By the pack's format: a CSV row (with its header line) or a JSON object as the pack says. Without a pack:
/// a CloudEvent 1.0 in structured mode whose data is the view with the names of event.fbs. Thread-safe.
std::unique_ptr<Renderer> make_renderer(std::shared_ptr<const Pack> pack, RendererOptions options = {});

}  // namespace carehub::adapters
