#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

#include "broker/app/exit_code.hpp"
#include "broker/server/config.hpp"
#include "broker/server/hub.hpp"

namespace carehub::app {

/// The hub's options out of its configuration; reads the secret key where there is one. `invalid` names its
/// file.
Result<server::HubOptions> hub_options(const server::HubConfig& config);

/// Why a hub did not start, and the code to leave with.
struct StartFailure {
  ExitCode code;
  std::string text;
};

tl::expected<std::unique_ptr<server::Hub>, StartFailure> start_hub(server::HubOptions options);

/// Lines such as "folding the ledger: 120000 of 900000 (13 %)", at most one a second and none in the first.
std::function<void(Sequence done, Sequence all)> progress_on(std::ostream& out);

}  // namespace carehub::app
