#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/transports/io_thread.hpp"
#include "adapters/transports/tls_identity.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::adapters {

struct TileListenerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  std::size_t connections_max = limits::kHttpConnectionsMax;
  std::size_t header_bytes_max = limits::kHttpHeaderBytesMax;
  std::uint32_t timeout_ms = limits::kHttpTimeoutMs;  // to read a request, to wait for the hub, to write
  std::uint32_t stop_ms = 5'000;                      // for requests under way
  std::optional<TlsOptions> tls = {};                 // without: bytes are plain
};

/// The hub's newest checkpoint and the tiles of the Merkle tree over its ledger, over HTTP/1.1, for whoever
/// watches the log (https://c2sp.org/tlog-tiles). They tell how many entries there are and nothing about a
/// person, so nobody is asked who he is.
///
///   GET /checkpoint            text, not to be cached; with the cosignatures of that very tree
///   GET /checkpoint.cosigned   the newest that a witness has cosigned
///   GET /tile/L/N[.p/W]        32 bytes a hash, cacheable for ever where the tile is full
///   GET /healthz               200 while the listener runs
///
/// Entries are sealed, so there are no entry bundles. Else: 400 for a malformed name of a tile, 404, 405, and
/// 503 with Retry-After while the hub is away or asked too much.
class TileListener {
 public:
  /// Both outlive it.
  TileListener(IoThread& io, TileListenerOptions options, client::HubClient& hub);
  ~TileListener();

  /// Error `unavailable`: the port is taken or not permitted. `invalid`: the files of TLS cannot be used.
  Result<void> start();
  /// Takes no more requests, waits up to stop_ms for those under way, closes. Not from the IoThread.
  void stop();

  std::uint16_t port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
