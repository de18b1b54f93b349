#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/client/hub_client.hpp"

/// The straight pipe and its seams: transport -> interpreter (format and mapping) -> HubClient, and back
/// HubClient -> renderer (mapping and format) -> sender (transport).
namespace carehub::adapters {

/// Where and when a message came in. `source` is a file name, a peer's address or a request's path.
struct Arrival {
  Timestamp received_at;
  std::string source;
  std::map<std::string, std::string> headers;  // HTTP: lower-case names
};

/// One message on its way in.
class InboundMessage {
 public:
  virtual ~InboundMessage() = default;
  /// What it became, moved out; call once. Each has an event or a problem.
  virtual std::vector<client::Publication> take_publications() = 0;
  /// What to tell the sender once every publication has its result (same order): messages in order, each a
  /// frame of its own (HL7 enhanced mode may ask for an accept and an application acknowledgment). None: the
  /// sender asked for nothing. Never called with an Error result: our own troubles are not the sender's.
  virtual std::vector<Bytes> answer(const std::vector<client::PublishResult>& results) = 0;
  /// How many of its messages the pack takes and makes nothing of: answered, and no publication.
  virtual std::size_t ignored() const { return 0; }
  /// The places of values that were left out because they could not be read; never a value.
  virtual std::vector<std::string> left_out() const { return {}; }
};

/// Format and mapping of one channel. Pure and thread-safe: same bytes, same outcome.
class Interpreter {
 public:
  virtual ~Interpreter() = default;
  virtual std::unique_ptr<InboundMessage> interpret(Bytes message, const Arrival& arrival) const = 0;
};

/// How an inbound transport hands a message over. `reply` is called once, from the transport's own thread or
/// executor: answered with messages (none: nothing to say), each to be framed on its own; `busy` when the hub
/// cannot take it now (the transport must not acknowledge; it stops reading, closes, or answers "try again"
/// as its protocol has it).
struct TransportReply {
  bool busy = false;
  std::vector<Bytes> messages;
  std::vector<client::PublishResult>
      results;  // for transports with per-row outcomes (folder) or status codes (HTTP)
};
using Receive =
    std::function<void(Bytes message, Arrival arrival, std::function<void(TransportReply)> reply)>;

struct HttpToken;

/// Who was turned away, by cause, since start.
using TurnedAwayCounts = std::map<wire::TurnedAway, std::uint64_t>;

/// A transport that listens or watches. start() fails `unavailable` (port taken, folder missing) before
/// anything is taken in; stop() lets messages under way finish within a bound.
class InboundTransport {
 public:
  virtual ~InboundTransport() = default;
  virtual Result<void> start(Receive receive) = 0;
  virtual void stop() = 0;
  /// Whose tokens are good from the next request on. One that asks for none passes it over.
  virtual void allow(const std::vector<HttpToken>& /*tokens*/) {}
  /// Of those who were not let in. On the IoThread.
  virtual TurnedAwayCounts turned_away() const { return {}; }
};

/// A view in the partner's format, with what names it there (file row, webhook id).
struct Rendered {
  Bytes bytes;
  std::string media_type;
  std::string id;  // the event's id: the receiver drops repeats by it
  // Set by the outbound channel, not by the renderer: the same at every attempt, so a file keeps its name.
  Sequence sequence = 0;
  Timestamp appended_at = {};
  std::string replay = {};  // the stream's name where history comes once more: the transport marks it
};

class Renderer {
 public:
  virtual ~Renderer() = default;
  /// `view` is what this role may see. Error `invalid`: the pack cannot express it (a permanent refusal).
  virtual Result<Rendered> render(const wire::DeliveryT& delivery) const = 0;
};

/// What the partner said. ok without nak; otherwise how the hub is to take it.
struct SendResult {
  std::optional<ledger::NakKind> nak;
  std::string code;  // "http 500", "timeout", "disk full": stable, no payload
  std::uint32_t retry_after_ms = 0;
};

struct WebhookSecrets;

/// A transport that carries one rendered message to the partner. `done` is called once, when the partner has
/// it safe or has not.
class Sender {
 public:
  virtual ~Sender() = default;
  virtual void send(Rendered message, std::function<void(SendResult)> done) = 0;
  virtual void stop() = 0;
  /// What it identifies itself with and signs by from the next attempt on. One that does neither passes it
  /// over.
  virtual void take(const WebhookSecrets& /*secrets*/) {}
};

}  // namespace carehub::adapters
