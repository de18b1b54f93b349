#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "broker/base/secret_file.hpp"

namespace carehub::adapters {

/// Compares passwords with hashes, one after the other on a thread of its own: however many come, no more
/// than one takes its second and its 256 MiB. Thread-safe.
class PasswordWorker {
 public:
  PasswordWorker();
  /// What waits is dropped, and what is under way finished.
  ~PasswordWorker();
  PasswordWorker(const PasswordWorker&) = delete;
  PasswordWorker& operator=(const PasswordWorker&) = delete;

  /// `done` hears on the worker's thread whether it is right. False: too many wait, and nothing was taken.
  bool compare(std::string hash, SecretText password, std::function<void(bool right)> done);

  static constexpr std::size_t kWaitingMax = 8;

 private:
  struct Work {
    std::string hash;
    SecretText password;
    std::function<void(bool right)> done;
  };
  void run();

  std::mutex mutex_;  // between those who ask and the worker
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace carehub::adapters
