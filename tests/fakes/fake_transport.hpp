#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>

#include "broker/base/wire_frame.hpp"
#include "broker/server/transport.hpp"

namespace carehub::fakes {

/// A network that a test plays by hand: what it puts in is received, what the loop sends is kept in order.
class FakeTransport final : public server::Transport {
 public:
  void wait(std::uint32_t, bool) override {
    if (on_wait_) on_wait_();
  }
  void wake() override {}

  void receive(std::vector<server::Received>& out, std::size_t frames_max, std::size_t) override {
    for (std::size_t count = 0; count < frames_max && !incoming_.empty(); ++count) {
      out.push_back(std::move(incoming_.front()));
      incoming_.pop_front();
    }
  }

  Sent send(ConnectionId connection, BytesView frame) override {
    if (absent_.contains(connection) || closed_.contains(connection)) return Sent::gone;
    if (room_.contains(connection)) {
      if (room_[connection] == 0) return Sent::full;
      --room_[connection];
    }
    wire::FrameT unpacked;
    wire::GetFrame(frame.data())->UnPackTo(&unpacked);
    sent_[connection].push_back(std::move(unpacked));
    return Sent::sent;
  }

  void close(ConnectionId connection) override { closed_.insert(connection); }

  template <class Message>
  void put(ConnectionId connection, Message message) {
    put_bytes(connection, frame_bytes(std::move(message)));
  }
  void put_bytes(ConnectionId connection, Bytes bytes) {
    closed_.erase(connection);  // whoever speaks again is there again
    const auto keyed = keyed_.find(connection);
    const bool local = keyed == keyed_.end();
    incoming_.push_back({connection, false, local, local ? "" : keyed->second, "", std::move(bytes)});
  }
  void put_gone(ConnectionId connection) { incoming_.push_back({connection, true, false, "", "", {}}); }

  /// The connection comes over TCP with a key of this agency.
  void authenticate(ConnectionId connection, const std::string& agency) { keyed_[connection] = agency; }
  /// The peer takes this many frames more, and then reads no further.
  void limit(ConnectionId connection, std::size_t frames) { room_[connection] = frames; }
  void unlimit(ConnectionId connection) { room_.erase(connection); }
  /// What happens meanwhile whenever the loop waits.
  void on_wait(std::function<void()> call) { on_wait_ = std::move(call); }
  void vanish(ConnectionId connection) { absent_.insert(connection); }

  /// What was sent to a connection since the last call, of one type.
  template <class Table>
  std::vector<Table> take(ConnectionId connection) {
    std::vector<Table> found;
    auto& all = sent_[connection];
    for (auto at = all.begin(); at != all.end();) {
      if (at->message.type != wire::MessageUnionTraits<Table>::enum_value) {
        ++at;
        continue;
      }
      found.push_back(std::move(*reinterpret_cast<Table*>(at->message.value)));
      at = all.erase(at);
    }
    return found;
  }
  std::size_t sent_count(ConnectionId connection) const {
    const auto found = sent_.find(connection);
    return found == sent_.end() ? 0 : found->second.size();
  }
  std::size_t waiting() const { return incoming_.size(); }
  bool closed(ConnectionId connection) const { return closed_.contains(connection); }

 private:
  std::deque<server::Received> incoming_;
  std::map<ConnectionId, std::vector<wire::FrameT>> sent_;
  std::map<ConnectionId, std::string> keyed_;
  std::map<ConnectionId, std::size_t> room_;
  std::set<ConnectionId> absent_;
  std::set<ConnectionId> closed_;
  std::function<void()> on_wait_;
};

}  // namespace carehub::fakes
