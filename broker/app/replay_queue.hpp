#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "broker/client/hub_client.hpp"

namespace carehub::app {

/// What a replay hands from the client's thread to the command's, which writes it. The client's thread is
/// never held up, so what waits for a slow output is bounded: beyond that the replay ends, once what waits
/// has been taken.
class ReplayQueue {
 public:
  static constexpr std::size_t kBytesMax = 64U << 20U;

  explicit ReplayQueue(std::size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  void push(Result<client::Reply> reply);
  /// nullopt: nothing came in time. An error of kind `overloaded` is the last.
  std::optional<Result<client::Reply>> pop(std::chrono::milliseconds wait);

 private:
  const std::size_t bytes_max_;
  std::mutex mutex_;  // between the client's thread and the command's
  std::condition_variable changed_;
  std::deque<Result<client::Reply>> replies_;
  std::size_t bytes_ = 0;
  bool over_ = false;
};

}  // namespace carehub::app
