#pragma once

#include <openssl/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"
#include "adapters/transports/io_thread.hpp"
#include "adapters/transports/peer_log.hpp"
#include "adapters/transports/tls_identity.hpp"

namespace carehub::adapters {

/// Why a client was not let in.
enum class TlsRefusal : std::uint8_t {
  too_slow,
  gave_up,
  not_tls,
  old_version,
  no_cipher,
  no_certificate,
  untrusted,
  out_of_date,
  not_named,
  refused_us,
  other,
};
constexpr std::size_t kTlsRefusals = 11;

struct TlsCounts {
  std::uint64_t let_in = 0;
  std::array<std::uint64_t, kTlsRefusals> refused = {};

  /// Adds those who were refused.
  void add_to(TurnedAwayCounts& turned_away) const;
  std::uint64_t of(TlsRefusal cause) const { return refused.at(static_cast<std::size_t>(cause)); }
};

/// The TLS of one listener: the identity that new connections are met with, taken anew when its files have
/// changed, and what became of handshakes. On the IoThread only, apart from make().
class TlsServer : public std::enable_shared_from_this<TlsServer> {
 public:
  /// Error `invalid` names file and remedy.
  static Result<std::shared_ptr<TlsServer>> make(std::string channel, TlsOptions options);

  /// Looks at the files from now on, for as long as somebody holds this. A change is taken once it has been
  /// the same at two looks: two files are not replaced at once. Where it is wrong, the identity stays, with
  /// one alarm.
  void watch(IoThread& io);

  /// Of a new connection; whoever asks frees it.
  SSL* session() const;
  std::chrono::milliseconds handshake_time() const {
    return std::chrono::milliseconds(options_.handshake_ms);
  }
  /// After a good handshake: whether this client is one of those that are named.
  bool knows(const SSL* session) const;
  void let_in() { ++counts_.let_in; }
  void refused(const std::string& peer, TlsRefusal cause);
  const TlsCounts& counts() const { return counts_; }

 private:
  /// What tells one state of the files from another: i-node, size and time of change of each.
  using Stamp = std::array<std::int64_t, 12>;

  TlsServer(std::string channel, TlsOptions options, Stamp stamp,
            std::shared_ptr<const TlsIdentity> identity);
  static Stamp stamp_of(const TlsOptions& options);
  void look(IoThread& io);
  void take_changed_files();
  void warn_of_expiry();
  void summarise();

  std::string channel_;
  TlsOptions options_;
  Stamp taken_;  // of the files that were loaded, or refused, last
  Stamp seen_;   // at the last look
  std::shared_ptr<const TlsIdentity> identity_;
  TlsCounts counts_;
  std::uint64_t summarised_ = 0;
  std::chrono::steady_clock::time_point next_summary_{};
  std::chrono::steady_clock::time_point next_expiry_{};
  PeerLog log_;
};

/// Why a handshake failed, from what OpenSSL says of the session and of the error.
TlsRefusal tls_refusal(const SSL* session, unsigned long error);

}  // namespace carehub::adapters
