#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "broker/server/hub.hpp"
#include "tests/unit/server/running_hub.hpp"

namespace carehub::crash {

/// The whole hub on this directory, without a network.
inline std::unique_ptr<server::Hub> start_hub(const std::filesystem::path& data) {
  server::HubOptions options;
  options.name = "Northmarch";
  options.data = data;
  options.rules = fakes::EngineHarness::county();
  auto started = server::Hub::start(std::move(options));
  if (!started) FAIL(started.error().text);
  return std::move(*started);
}

inline client::ClientOptions inproc(const server::Hub& hub, const std::string& agency) {
  client::ClientOptions options;
  options.endpoint = server::kInprocEndpoint;
  options.zmq_context = hub.zmq_context();
  options.client = "test";
  options.agency = agency;
  return options;
}

}  // namespace carehub::crash
