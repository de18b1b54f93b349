#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace carehub::adapters {

/// The one thread that runs the sockets and timers of all channels of a process. Whoever uses it keeps it
/// alive longer than itself.
class IoThread {
 public:
  IoThread();
  /// Stops and joins; work that has not run is dropped.
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  /// Runs `work` on the thread, later. From any thread.
  void post(std::function<void()> work);
  void post_after(std::uint32_t delay_ms, std::function<void()> work);
  /// Runs `work` on the thread and waits for it. Never from the thread itself: that aborts.
  void run(const std::function<void()>& work);
  bool inside() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
