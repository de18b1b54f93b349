#include "broker/app/hub_options.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <ostream>
#include <system_error>

#include "broker/app/key_files.hpp"

namespace carehub::app {

Result<server::HubOptions> hub_options(const server::HubConfig& config) {
  server::HubOptions options;
  options.name = config.name;
  // Copies of the vault note down where it is, and may be read from anywhere.
  std::error_code error;
  options.data = std::filesystem::absolute(config.data, error).lexically_normal();
  if (error) return fail(ErrorKind::not_found, "the current directory is not there any more: go to another");
  options.endpoints = config.listen;
  options.master_key = config.master_key;
  options.origin = config.origin;
  options.signing_key_file = config.signing_key_file;
  options.vault_copies = config.vault_copies;
  options.scrub_days = config.scrub_days;
  options.witnesses = config.witnesses;
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

std::function<void(std::uint64_t done, std::uint64_t all)> progress_on(std::ostream& out, std::string what) {
  using std::chrono::steady_clock;
  auto next = std::make_shared<steady_clock::time_point>(steady_clock::now() + std::chrono::seconds(1));
  return [&out, next, what = std::move(what)](std::uint64_t done, std::uint64_t all) {
    if (steady_clock::now() < *next) return;
    *next = steady_clock::now() + std::chrono::seconds(1);
    out << what << ": " << done << " of " << all << " (" << (all == 0 ? 100 : done * 100 / all) << " %)"
        << std::endl;
  };
}

StillBusy::StillBusy(std::ostream& out, std::string what, std::chrono::milliseconds period)
    : thread_([this, &out, what = std::move(what), period] {
        const auto began = std::chrono::steady_clock::now();
        std::unique_lock lock(mutex_);
        while (!ended_.wait_for(lock, period, [this] { return over_; })) {
          const auto passed = std::chrono::steady_clock::now() - began;
          out << what << ", for " << std::chrono::duration_cast<std::chrono::seconds>(passed).count()
              << " s now" << std::endl;
        }
      }) {}

void StillBusy::end() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace carehub::app
