#pragma once

#include <functional>
#include <memory>
#include <string>

#include "adapters/channel/pipe.hpp"
#include "broker/client/hub_client.hpp"

namespace carehub::adapters {

/// Has the hub write down what happened at one of its doors: who signs in and out there, and how many were
/// turned away. On one thread, which `post` leads back to.
class DoorReport : public std::enable_shared_from_this<DoorReport> {
 public:
  using Post = std::function<void(std::function<void()>)>;
  /// The hub has it, durable.
  using Kept = std::function<void(bool kept)>;

  /// `hub` outlives it. `door`: the channel's name, or `console`.
  DoorReport(std::string door, client::HubClient& hub, Post post)
      : door_(std::move(door)), hub_(hub), post_(std::move(post)) {}

  /// signed_in or signed_out
  void tell(wire::DoorEvent event, const std::string& account, const Kept& done);
  /// `totals` never fall. What the hub did not keep is told with the next call; nothing while one is on its
  /// way.
  void turned_away(const TurnedAwayCounts& totals);

 private:
  void ask(wire::TellDoorT frame, const Kept& done);

  std::string door_;
  client::HubClient& hub_;
  Post post_;
  TurnedAwayCounts told_;
  bool telling_ = false;
};

}  // namespace carehub::adapters
