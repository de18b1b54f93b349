#pragma once

#include <deque>
#include <map>
#include <optional>

#include "broker/server/transport.hpp"
#include "tests/fakes/hand_clock.hpp"
#include "tests/simulation/dice.hpp"

namespace carehub::simulation {

/// One connection as both ends see it; never the same number twice in a run, unlike the hub's own id.
using LinkId = std::uint64_t;
/// A connection as long as the hub has not forgotten it: what comes after that is another one's.
using Serial = std::uint64_t;

/// Who watches what the hub takes in and what leaves it.
class Wiretap {
 public:
  virtual ~Wiretap() = default;
  virtual void hub_took(Serial serial, const std::string& agency, BytesView frame) = 0;
  /// `late`: the connection was full before, so it may have been decided long ago.
  virtual void hub_sent(Serial serial, const std::string& agency, BytesView frame, bool late) = 0;
  virtual void hub_forgot(Serial serial) = 0;
};

/// Connections that are ordered and reliable while they live, as ZeroMQ's are, late by as much as each link
/// is slow. A cut loses what is under way; either end may hear of it late, or never. On top of that, frames
/// may be doubled, swapped and dropped, which ZeroMQ does not do but the hub must bear.
class Network final : public server::Transport {
 public:
  Network(fakes::HandClock& clock, Wiretap& tap) : clock_(clock), tap_(tap) {}

  // The hub's side.
  void wait(std::uint32_t, bool) override {}
  void wake() override {}
  void receive(std::vector<server::Received>& out, std::size_t frames_max, std::size_t bytes_max) override;
  Sent send(ConnectionId connection, BytesView frame) override;
  void close(ConnectionId connection) override;

  // The clients' side. A key of this agency authenticates the connection; an operator's has none.
  LinkId connect(const std::string& agency);
  void say(LinkId link, Bytes frame);
  std::optional<Bytes> hear(LinkId link);
  /// The client has learned that the connection is gone.
  bool is_gone(LinkId link) const;
  void hang_up(LinkId link, Dice& dice);

  // What goes wrong.
  void cut(LinkId link, Dice& dice);
  void hub_died();
  void slow_down(LinkId link, std::int64_t delay_us);
  /// The client's machine takes nothing more in, or does again.
  void stop_reading(LinkId link, bool stopped);
  void double_frame(Dice& dice);
  void swap_frames(Dice& dice);
  void drop_frame(Dice& dice);
  /// Every link is quick again, and whoever did not read does.
  void calm();

  std::vector<LinkId> live() const;
  std::size_t frames_taken() const { return frames_taken_; }

 private:
  struct Frame {
    std::int64_t arrives_us = 0;
    std::uint64_t order = 0;
    Bytes bytes;
  };
  struct Link {
    ConnectionId id = 0;
    std::string agency;
    std::deque<Frame> to_hub;
    std::deque<Frame> to_client;
    std::int64_t delay_us = 0;
    bool stopped = false;
    bool was_full = false;
    bool cut = false;
    std::optional<std::int64_t> hub_hears_us;     // that it is gone
    std::optional<std::int64_t> client_hears_us;  // likewise
  };
  static constexpr std::size_t kPipeFrames = 64;

  Link* of_hub(ConnectionId connection);
  Serial serial_of(const Link& link) const { return (incarnation_ << 32U) | link.id; }
  void put(std::deque<Frame>& queue, const Link& link, Bytes frame);
  std::deque<Frame>* some_queue(Dice& dice);
  void tell_gone(std::vector<server::Received>& out);

  fakes::HandClock& clock_;
  Wiretap& tap_;
  std::map<LinkId, Link> links_;
  LinkId last_link_ = 0;
  ConnectionId last_id_ = 0;
  Serial incarnation_ = 1;
  std::uint64_t order_ = 0;
  std::size_t frames_taken_ = 0;
};

}  // namespace carehub::simulation
