#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "adapters/channel/pipe.hpp"

namespace carehub::adapters {

/// Messages on their way to a thread that writes them. Bounded by the credit of a subscription; each is
/// answered once, those that are left when it stops as `unavailable`. Thread-safe.
class SendQueue {
 public:
  struct Job {
    Rendered message;
    std::function<void(SendResult)> done;
  };

  ~SendQueue() { stop(); }

  /// Starts the thread that takes. Call it once.
  void start(std::function<void()> write_all);
  void send(Rendered message, std::function<void(SendResult)> done);
  /// For that thread: waits, and gives the oldest, with those behind it up to so many bytes. Empty: it stops.
  std::vector<Job> take(std::size_t bytes_max);
  /// Waits for the thread.
  void stop();

 private:
  std::mutex mutex_;  // guards what sender, thread and stop() touch
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace carehub::adapters
