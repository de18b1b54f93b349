#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/random.hpp"
#include "broker/core/policy.hpp"
#include "broker/core/rules.hpp"
#include "broker/server/authenticator.hpp"
#include "broker/server/metrics.hpp"
#include "broker/server/witnesses.hpp"
#include "broker/storage/master_key.hpp"

namespace carehub::server {

/// The hub's own end inside its process, over the context that Hub::zmq_context() gives.
constexpr const char* kInprocEndpoint = "inproc://carehub";

/// A file in the data directory, besides the ledger's and the state's own.
constexpr const char* kVaultFile = "vault";
constexpr const char* kSigningKeyFile = "signing.key";

struct HubOptions {
  std::string name;
  std::filesystem::path data;              // made when missing; ledger, state, vault and mark live here
  std::vector<std::string> endpoints;      // ipc:// and tcp://; inproc is always there
  std::string origin;                      // of the ledger's checkpoints; empty: made of the name
  std::filesystem::path signing_key_file;  // empty: signing.key in the data directory; made at first start
  storage::MasterKeySource master_key;     // the usual: master.key in the data directory, made with the vault
  std::vector<std::filesystem::path> vault_copies = {};  // directories where backups of the vault are kept
  WitnessRules witnesses = {};   // who may cosign its checkpoints, and how soon one must
  std::uint32_t scrub_days = 7;  // in which all of the ledger is verified once, at least
  core::HubRules rules;
  std::vector<AllowedKey> allowed;  // keys that may connect over TCP
  std::string curve_secret;         // Z85; needed with a tcp:// endpoint
  const Clock* clock = nullptr;     // nullptr: the system's
  Random* random = nullptr;         // nullptr: the kernel's; must be thread-safe
  /// Called now and then while the state is made again from the ledger.
  std::function<void(Sequence done, Sequence all)> progress;
};

/// Why a hub did not start, and which part of it: its endpoint and its storage both can be `unavailable`.
struct StartError : Error {
  enum class Part : std::uint8_t { storage, decisions, network } part = Part::storage;
};

/// The broker: storage, folds, decisions and network in one piece. Everything is opened first, then bound,
/// then served; when any of it fails all is released and nothing is half-started.
class Hub {
 public:
  /// Opens and serves. Errors: `invalid` (policy, endpoint, keys), `unavailable` (port taken, disk, another
  /// hub runs on this data), `corrupt` (stop and page a human). The text names what and where.
  static tl::expected<std::unique_ptr<Hub>, StartError> start(HubOptions options);

  /// Stops at once when still running.
  ~Hub();

  /// Takes nothing more in, makes durable what was, tells the clients, and releases everything. The error is
  /// why it had stopped before, if it had.
  Result<void> stop();

  /// False once the loop has ended, be it by stop() or by a failure. Thread-safe.
  bool running() const;

  /// Called once, on the hub's thread, when the loop ends by a failure: the process should end with exit code
  /// and restart. Set it before anything can fail, right after start().
  void on_failure(const std::function<void(Error)>& report);

  /// The endpoints as bound, with ports filled in.
  std::vector<std::string> endpoints() const;

  /// The ZeroMQ context that clients inside this process connect through. Close them before the hub goes.
  void* zmq_context() const;

  /// The keys that may connect from now on; connections of others are closed, and nothing more of them is
  /// read. Error `invalid`: a key is malformed or listed twice; then all stays as it was. Thread-safe.
  Result<void> allow(const std::vector<AllowedKey>& keys);

  /// Counts as of the last step. Thread-safe.
  Statistics statistics() const;

 private:
  struct Impl;
  explicit Hub(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::server
