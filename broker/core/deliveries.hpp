#pragma once

#include <memory>
#include <unordered_map>

#include "broker/core/delivery.hpp"

namespace carehub::core {

/// All subscriptions of the hub, and who of them an event is for.
class Deliveries {
 public:
  explicit Deliveries(const DeliveryContext& context) : context_(context) {}

  /// The name must be new.
  Delivery& add(Subscription subscription, std::string label);
  void remove(const std::string& name);
  Delivery* find(const std::string& name);
  /// What a frame from this connection means by `label`.
  Delivery* of_connection(ConnectionId connection, const std::string& label);
  /// The replays that go to this subscription's receiver.
  std::vector<Delivery*> replays_into(const std::string& name);
  /// Whether one delivery is in flight on the whole of that connection.
  bool one_in_flight(ConnectionId connection) const;
  /// Whether one delivery is in flight to the receiver of that subscription, its replays with it.
  bool one_in_flight(const Delivery& to) const;
  const std::vector<std::unique_ptr<Delivery>>& all() const { return all_; }
  std::size_t size() const { return all_.size(); }
  /// Call it after a subscription's filter was changed.
  void filter_changed();

  /// Offers or withholds the event, each subscription by its filter and its role's rule under the current
  /// policy. A redaction is made once for all who see the same.
  Result<void> route(const RecordedEvent& recorded);

 private:
  static constexpr std::size_t kTypes = 256;
  void build_index();

  DeliveryContext context_;
  std::vector<std::unique_ptr<Delivery>> all_;
  std::unordered_map<std::string, Delivery*> by_name_;
  std::array<std::vector<Delivery*>, kTypes> by_type_;  // whose filter lets the type through
  bool indexed_ = false;
};

}  // namespace carehub::core
