#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "broker/client/hub_client.hpp"
#include "tests/unit/client/test_hub.hpp"

namespace carehub::test {

inline constexpr const char* kEndpoint = "inproc://hub";

/// A school's client of the hub that a test plays.
inline std::unique_ptr<client::HubClient> open_client(
    Context& context, std::size_t queue_max = limits::kClientPublishQueueMax) {
  client::ClientOptions options;
  options.endpoint = kEndpoint;
  options.zmq_context = context.handle;
  options.client = "test";
  options.agency = "holm-school";
  options.publish_queue_max = queue_max;
  auto opened = client::HubClient::open(options);
  REQUIRE(opened);
  return std::move(*opened);
}

}  // namespace carehub::test
