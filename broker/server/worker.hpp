#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace carehub::server {

/// A thread that does one piece of work after the other, in the order in which they came. The destructor
/// waits until all are done. Thread-safe.
class Worker {
 public:
  /// `name` is what the system's tools show, at most 15 characters.
  explicit Worker(const char* name);
  ~Worker();

  void run(std::function<void()> work);

 private:
  void serve();

  std::mutex mutex_;  // callers leave work while the thread takes it
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace carehub::server
