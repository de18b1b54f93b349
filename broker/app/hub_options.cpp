#include "broker/app/hub_options.hpp"

#include <chrono>
#include <memory>
#include <ostream>

#include "broker/app/key_files.hpp"

namespace carehub::app {

Result<server::HubOptions> hub_options(const server::HubConfig& config) {
  server::HubOptions options;
  options.name = config.name;
  options.data = config.data;
  options.endpoints = config.listen;
  options.master_key_file = config.master_key_file;
  options.rules = config.rules;
  options.allowed = config.clients;
  if (!config.curve_secret_file.empty()) {
    auto keys = read_secret_key(config.curve_secret_file);
    if (!keys) return tl::unexpected(keys.error());
    options.curve_secret = keys->secret_key;
  }
  return options;
}

tl::expected<std::unique_ptr<server::Hub>, StartFailure> start_hub(server::HubOptions options) {
  auto hub = server::Hub::start(std::move(options));
  if (hub) return *std::move(hub);
  const server::StartError& error = hub.error();
  const bool storage =
      error.kind == ErrorKind::unavailable && error.part != server::StartError::Part::network;
  return tl::unexpected(StartFailure{storage ? ExitCode::storage : exit_code(error.kind), error.text});
}

std::function<void(Sequence done, Sequence all)> progress_on(std::ostream& out) {
  using std::chrono::steady_clock;
  auto next = std::make_shared<steady_clock::time_point>(steady_clock::now() + std::chrono::seconds(1));
  return [&out, next](Sequence done, Sequence all) {
    if (steady_clock::now() < *next) return;
    *next = steady_clock::now() + std::chrono::seconds(1);
    out << "folding the ledger: " << done << " of " << all << " (" << (all == 0 ? 100 : done * 100 / all)
        << " %)" << std::endl;
  };
}

}  // namespace carehub::app
