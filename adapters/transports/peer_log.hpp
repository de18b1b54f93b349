#pragma once

#include <chrono>
#include <string>

namespace carehub::adapters {

/// Warnings about the peers of one listener, one line a second at most: a hostile peer must not fill the disk
/// with our complaints. On the IoThread only.
class PeerLog {
 public:
  void warn(const std::string& channel, const std::string& peer, const char* what);

 private:
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace carehub::adapters
