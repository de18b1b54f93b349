#include "broker/client/hub_client.hpp"

#include <zmq.h>

#include "broker/client/connection.hpp"
#include "broker/client/session.hpp"

namespace carehub::client {

Result<std::unique_ptr<HubClient>> HubClient::open(ClientOptions options) {
  if (auto checked = check_options(options); !checked) return tl::unexpected(checked.error());
  auto session = std::make_unique<Session>(std::move(options));
  if (auto started = session->start(); !started) return tl::unexpected(started.error());
  return session;
}

}  // namespace carehub::client
