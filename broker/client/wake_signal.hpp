#pragma once

namespace carehub::client {

/// A file descriptor that gets a thread out of its poll. raise() may be called from any thread.
class WakeSignal {
 public:
  WakeSignal();
  ~WakeSignal();
  WakeSignal(const WakeSignal&) = delete;
  WakeSignal& operator=(const WakeSignal&) = delete;

  int fd() const { return fd_; }
  void raise() const;
  void clear() const;

 private:
  int fd_;
};

}  // namespace carehub::client
