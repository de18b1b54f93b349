#pragma once

#include <deque>
#include <map>
#include <unordered_map>

#include "broker/client/hub_client.hpp"

namespace carehub::client {

/// The client's subscriptions: what is in flight, what was answered, which credit goes back. For one thread.
class Subscriptions {
 public:
  using Deliver = std::function<void(std::vector<wire::DeliveryT>)>;
  using Refused = std::function<void(Error)>;

  /// Error `conflict`: there is one of that name.
  Result<void> add(SubscribeOptions options, Deliver deliver, Refused refused);

  /// Hands a batch to its subscription, that of a replay to the one that it goes into; a name that is not
  /// known is dropped.
  void deliver(const wire::Deliver& frame);

  /// Takes answers under a subscription's name or a replay's. One that belongs to a delivery of an earlier
  /// connection is dropped: the hub shows it again.
  void answer(const std::string& name, const std::vector<Answer>& answers);

  void accepted(const std::string& name);

  /// The hub said no to the oldest subscription that it has not accepted yet; false when there is none.
  bool refuse_oldest(const Error& error);

  /// The hub said no to this one, or has ended it: its owner is told, and it is over.
  void refuse(const std::string& name, const Error& error);

  /// Frames that are due: Subscribe after (re)connecting, Ack, Nak and Credit for what was answered.
  void take_frames(std::vector<Bytes>& out);

  /// The connection is gone: what is in flight is the hub's again, and every subscription is to be made
  /// again.
  void rewind();

 private:
  struct Given {
    std::uint32_t stale = 0;  // deliveries of earlier connections that nobody answered yet
    std::uint32_t live = 0;
  };
  /// What was handed over and what was answered, of the live deliveries or of one replay.
  struct Stream {
    std::unordered_map<Sequence, Given> given;
    std::vector<Sequence> acked;
    std::vector<std::unique_ptr<wire::NakItemT>> nacked;
    std::uint32_t credit = 0;

    bool empty() const { return given.empty() && acked.empty() && nacked.empty() && credit == 0; }
  };
  struct One {
    SubscribeOptions options;
    Deliver deliver;
    Refused refused;
    bool asked = false;
    bool accepted = false;
    Stream live;
    std::map<std::string, Stream> replays;  // by their own names, while something of them is not settled
  };
  Stream* stream(const std::string& name);
  static void take_answer(Stream& stream, const Answer& answer);
  static void take_answers(const std::string& name, Stream& stream, std::vector<Bytes>& out);
  static void rewind(Stream& stream);

  std::map<std::string, One> all_;
  std::deque<std::string> unanswered_;  // asked for and neither accepted nor refused, oldest first
};

}  // namespace carehub::client
