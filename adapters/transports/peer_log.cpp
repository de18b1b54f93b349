#include "adapters/transports/peer_log.hpp"

#include <spdlog/spdlog.h>

namespace carehub::adapters {

void PeerLog::warn(const std::string& channel, const std::string& peer, const char* what) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::seconds(1);
  spdlog::warn("channel={} peer={} {}", channel, peer, what);
}

}  // namespace carehub::adapters
