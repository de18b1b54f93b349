#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/channel/pipe.hpp"
#include "adapters/transports/address_rules.hpp"
#include "adapters/transports/host_lookup.hpp"
#include "adapters/transports/io_thread.hpp"

namespace carehub::adapters {

/// A key of a partner's webhooks.
struct SigningKey {
  Bytes key;
  std::string until = {};  // the last day, in UTC, on which it signs (2027-01-31); empty: there is none
};

/// What a partner knows a webhook by, apart from its address.
struct WebhookSecrets {
  std::string token = {};  // as WebhookSenderOptions has them
  std::vector<SigningKey> signing_keys = {};
};

struct WebhookSenderOptions {
  std::string channel = {};
  std::string url = {};                               // http:// or https://
  std::string token = {};                             // sent as Authorization: Bearer; empty: none
  std::vector<SigningKey> signing_keys = {};          // Standard Webhooks: each signs; none: not signed
  std::filesystem::path ca_file = {};                 // trusted besides the system's
  std::size_t connections_max = 8;                    // so many deliveries are under way at once
  std::uint32_t timeout_ms = limits::kHttpTimeoutMs;  // of one attempt, from the look-up to the answer
  std::uint32_t idle_ms = 30'000;                     // an unused connection is closed after this
  /// Addresses and networks that it may be sent to although AddressRules forbids them.
  std::vector<std::string> allow_addresses = {};
  HostLookup::Ask lookup = system_addresses;
};

/// POSTs each message to one URL over HTTP/1.1 with connections that are kept. https verifies the certificate
/// and the host name. Headers webhook-id and webhook-timestamp always, webhook-signature with a signature of
/// each key that is good that day (standardwebhooks.com).
///
/// 2xx, and 409 (it has it), are taken. 400, 413, 415, 422 and the other 4xx: rejected. 401, 403, 404, 405,
/// 410, redirects (never followed), 429, 503 with its Retry-After, and no answer at all: unavailable, for
/// then the endpoint or its configuration is at fault, not the message. 408, 425 and the other 5xx: failed.
///
/// At each connection the addresses that the host has then are judged (AddressRules), so that a name which is
/// turned to this machine leads nowhere: unavailable, nothing connects, and an alarm tells.
class WebhookSender final : public Sender {
 public:
  /// Error `invalid`: the URL, an address that is allowed or the CA file is not usable.
  static Result<std::unique_ptr<WebhookSender>> make(IoThread& io, WebhookSenderOptions options);
  ~WebhookSender() override;

  /// `done` is called on the IoThread.
  void send(Rendered message, std::function<void(SendResult)> done) override;
  /// Closes; what has no answer is `unavailable`. Not from the IoThread.
  void stop() override;
  /// A message that is under way keeps what it was sent with. Not from the IoThread.
  void take(const WebhookSecrets& secrets) override;

 private:
  struct Impl;
  explicit WebhookSender(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// Error `invalid` says what a webhook's URL looks like.
Result<void> check_webhook_url(const std::string& url);
/// Error `invalid`: the URL's host is an address, or this machine's own name, that nothing is sent to. What
/// another name leads to is judged at each connection.
Result<void> check_webhook_host(const std::string& url, const AddressRules& rules);

/// A header that a message is sent with, apart from those of HTTP itself.
struct WebhookHeader {
  std::string name;
  std::string value;
  bool secret = false;
};
std::vector<WebhookHeader> webhook_headers(const WebhookSenderOptions& options, const Rendered& message,
                                           Timestamp now);

/// How an HTTP status is to be taken. `retry_after` is the header's value: seconds, or a date (RFC
/// 9110 10.2.3).
SendResult webhook_result(unsigned status, std::string_view retry_after, Timestamp now);

/// The key in a secret as Standard Webhooks writes it: whsec_ and base64 of 24 to 64 bytes.
Result<Bytes> signing_key_from(std::string_view secret);
/// "v1," and base64 of HMAC-SHA256 over "id.timestamp.body".
std::string webhook_signature(BytesView key, std::string_view id, std::int64_t timestamp_s, BytesView body);

}  // namespace carehub::adapters
