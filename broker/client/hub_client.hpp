#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/limits.hpp"
#include "broker/base/result.hpp"
#include "schemas/wire_generated.h"

/// All that an adapter sees of the hub.
namespace carehub::client {

/// CURVE keys in Z85 text (40 characters), needed on TCP endpoints.
struct CurveKeys {
  std::string server_public;
  std::string client_public;
  std::string client_secret;
};

struct ClientOptions {
  std::string endpoint;         // inproc://, ipc:// or tcp://
  void* zmq_context = nullptr;  // the hub's own for inproc; nullptr: one of its own
  std::string client;           // name of this process or channel, for the record
  std::string agency;           // on inproc and ipc; on TCP the key decides and this must agree or be empty
  std::optional<CurveKeys> curve;
  std::size_t publish_queue_max = limits::kClientPublishQueueMax;
  /// Told on the client's thread whenever the hub welcomes this client (nullptr), and each time a connection
  /// cannot be made or is lost: why, and what to do. It goes on trying.
  std::function<void(const Error* lost)> on_connection = {};
};

/// One message for the hub: an event, or a problem that is to be kept as a Refusal.
struct Publication {
  std::string channel;
  Bytes event;          // a finished event::Event; empty when `problem` is set
  Bytes identity;       // what makes it the same message, as the pack defines; empty: the event's id
  Hash content_hash{};  // SHA-256 of what the pack compares
  wire::OnReuse on_reuse = wire::OnReuse::conflict;
  Bytes original;  // as received; the client compresses it
  std::string original_media_type;
  std::optional<wire::ProblemT> problem;
};

struct Receipt {
  Sequence sequence = 0;
  Timestamp appended_at;
  bool duplicate = false;  // the receipt of an earlier, same message
  std::vector<ledger::Mark> marks;
};
struct Refused {
  ErrorKind kind = ErrorKind::invalid;
  std::string code;
  std::string place;
  std::string text;
  Sequence sequence = 0;  // of the Refusal, durable
};
struct NotKept {
  std::string text;
};
/// Error `unavailable` (closed while waiting) leaves open whether the hub has it: publish again with the same
/// identity.
using PublishResult = std::variant<Receipt, Refused, NotKept, Error>;

/// `stream` names the replay, under which its deliveries are answered: an event may be in flight in two
/// streams.
using DeliverReplay = std::function<void(const std::string& stream, std::vector<wire::DeliveryT> deliveries)>;

struct SubscribeOptions {
  std::string name;
  std::string role;
  ledger::FilterT filter;
  bool durable = true;
  std::uint32_t credit = 256;         // deliveries in flight
  std::uint32_t rate_per_minute = 0;  // deliveries, at most; 0: no limit but the hub's own for it
  /// The hub has it, and shows what comes from now; called again after a reconnection.
  std::function<void()> confirmed = {};
  DeliverReplay replayed = {};  // takes what an operator replays into it
};

struct Answer {
  Sequence sequence = 0;
  std::optional<ledger::NakKind> nak;  // nullopt: ack
  std::string code;
  std::uint32_t retry_after_ms = 0;
};

/// A question for the hub; the answer is the frame that belongs to it.
using Question = std::variant<wire::QueryT, wire::ReplayT, wire::HandleDeadLetterT, wire::HandleSubscriptionT,
                              wire::EraseT, wire::BackupT, wire::CosignT, wire::ChangePolicyT,
                              wire::MarkChildT, wire::BreakGlassT, wire::TellDoorT>;
using Reply = std::variant<wire::PageT, wire::ReplayedT, wire::HandledT, wire::ErasedT, wire::BackedUpT>;

/// A connection that mends itself: after socket loss it says Hello again, publishes again what has no
/// outcome, and subscribes again. Thread-safe. Callbacks run on the client's thread and must not block.
class HubClient {
 public:
  /// Starts connecting; does not wait. Error `invalid`: endpoint or keys are malformed.
  static Result<std::unique_ptr<HubClient>> open(ClientOptions options);
  virtual ~HubClient() = default;

  /// `done` is called exactly once. Error `overloaded` (done is not called) when the bounded queue is full.
  virtual Result<void> publish(Publication publication, std::function<void(PublishResult)> done) = 0;

  /// `deliver` is called with each batch; every delivery is to be answered once. The client returns credit as
  /// answers come. `refused` is called when the hub says no, or ends the subscription later:
  /// another connection has taken it over, or a watch does not keep up. It is over then.
  /// Replays that an operator sends into it are handed to `replayed`; without one they wait in the hub, as
  /// for a receiver that is unavailable.
  virtual Result<void> subscribe(SubscribeOptions options,
                                 std::function<void(std::vector<wire::DeliveryT>)> deliver,
                                 std::function<void(Error)> refused) = 0;

  /// `subscription` is its name, or the stream's that a replay came in.
  virtual void answer(const std::string& subscription, std::vector<Answer> answers) = 0;

  /// `reply` is called once for a query, and for each frame of a replay or a backup (the last has `last`
  /// set).
  virtual Result<void> ask(Question question, std::function<void(Result<Reply>)> reply) = 0;

  /// Whether the hub has welcomed this client and is heard from.
  virtual bool connected() const = 0;

  /// Stops; publications without an outcome complete with `unavailable`. Called by the destructor.
  virtual void close() = 0;
};

}  // namespace carehub::client
