#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/console/open_id_options.hpp"
#include "adapters/console/sessions.hpp"
#include "adapters/transports/io_thread.hpp"
#include "adapters/transports/tls_identity.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::adapters {

struct ConsoleOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;              // 0: any free one
  std::optional<TlsOptions> tls = {};  // without: bytes are plain, for this machine alone
  std::filesystem::path accounts_file = {};
  std::vector<std::string> roles = {};  // of the policy: those that an account may have
  SessionTimes times = {};
  std::optional<OpenIdOptions> open_id = {};
  std::uint32_t look_ms = 2'000;   // how often the file is looked at
  client::ClientOptions hub = {};  // where who signs in is written down
};

/// The `console` of a configuration, its files looked into; nullopt where there is none.
std::optional<ConsoleOptions> read_console(ConfigDocument& document, const std::vector<std::string>& roles);
/// Where the accounts of a configuration are, whether it has a console or not.
std::filesystem::path accounts_file_of(ConfigDocument& document);

/// Pages for people, who sign in and are in once the hub has written that down. Takes a changed file of
/// accounts while it runs; one with a fault changes nothing, with an alarm.
class Console {
 public:
  /// `io` outlives it.
  Console(IoThread& io, ConsoleOptions options);
  ~Console();

  /// Error `unavailable`: the port is taken. `invalid`: a file of TLS or of accounts cannot be used.
  /// `overloaded`: there is not the memory to compare a password.
  Result<void> start();
  /// Not from the IoThread.
  void stop();
  std::uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
