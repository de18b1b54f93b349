#pragma once

#include <string>

#include "broker/app/surroundings.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::app {

/// Asks what the hub works on for long, tells on standard error how far it is, and waits for the frame that
/// ends it, whatever that says. Once the program is asked to stop it waits no more: `unavailable`, with what
/// that means for the hub's work.
Result<wire::BackedUpT> ask_long(client::HubClient& hub, wire::BackupT question, const std::string& stopped,
                                 Surroundings& surroundings);
Result<wire::ErasedT> ask_long(client::HubClient& hub, wire::EraseT question, const std::string& stopped,
                               Surroundings& surroundings);

}  // namespace carehub::app
