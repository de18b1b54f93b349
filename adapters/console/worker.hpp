#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace carehub::adapters {

/// Does what takes long (a password takes a second and 256 MiB, a provider's answer up to ten) one after the
/// other on a thread of its own, however many ask. Thread-safe.
class Worker {
 public:
  Worker();
  /// What waits is dropped, and what is under way finished.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// False: too much waits, and this was not taken.
  bool add(std::function<void()> work);

  static constexpr std::size_t kWaitingMax = 8;

 private:
  void run();

  std::mutex mutex_;  // between those who ask and the worker
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace carehub::adapters
