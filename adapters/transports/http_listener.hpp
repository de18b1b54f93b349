#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/channel/pipe.hpp"
#include "adapters/transports/http_token.hpp"
#include "adapters/transports/io_thread.hpp"
#include "adapters/transports/tls_server.hpp"

namespace carehub::adapters {

struct HttpListenerOptions {
  std::string channel = {};  // for messages
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;              // 0: any free one
  std::string path = "/";              // of POST
  std::vector<HttpToken> tokens = {};  // of `Authorization: Bearer`; none: not asked for
  std::size_t connections_max = limits::kHttpConnectionsMax;
  std::size_t body_bytes_max = limits::kHttpBodyBytesMax;
  std::size_t header_bytes_max = limits::kHttpHeaderBytesMax;
  std::size_t memory_bytes_max = 256U << 20U;  // of all bodies under way; what comes above it is answered 503
  std::uint32_t timeout_ms =
      limits::kHttpTimeoutMs;          // to read a request, to wait for the hub, to write the answer
  std::uint32_t stop_ms = 5'000;       // for requests under way
  std::optional<TlsOptions> tls = {};  // without: bytes are plain
};

/// HTTP/1.1 (RFC 9112): POST of JSON to one path; GET /healthz says 200 while the listener runs.
///
/// The status follows from the results of what was posted: 200 when each is stored, a duplicate or not kept;
/// else 422 when one is refused for its content, 409 when one contradicts an earlier one, 403 when one is not
/// permitted. 503 with Retry-After when the hub cannot take it now, does not answer in time, or all bodies
/// under way together are over their limit: post the same again. Before the hub is asked: 400, 401, 404, 405,
/// 408, 411, 413, 415, 431, as JSON with `error` and `text`.
class HttpListener final : public InboundTransport {
 public:
  HttpListener(IoThread& io, HttpListenerOptions options);
  ~HttpListener() override;

  /// Error `unavailable`: the port is taken or not permitted. `invalid`: the files of TLS cannot be used.
  Result<void> start(Receive receive) override;
  /// Takes no more requests, waits up to stop_ms for those under way, closes. Not from the IoThread.
  void stop() override;
  void allow(const std::vector<HttpToken>& tokens) override;

  std::uint16_t port() const;
  TurnedAwayCounts turned_away() const override;
  TlsCounts tls_counts() const;
  /// Requests that were answered 401.
  std::uint64_t unauthorised() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The status for what became of a request's publications.
unsigned http_status(const std::vector<client::PublishResult>& results);

}  // namespace carehub::adapters
