#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>

namespace carehub::fakes {

/// A port that nobody listens on, that no test on this machine has been given that still runs, and that no
/// connection on its way out takes: those have the ephemeral range. tests/end_to_end/county.py locks the same
/// files.
inline std::uint16_t free_port() {
  int ephemeral = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> ephemeral;
  const auto locks = std::filesystem::temp_directory_path() / ("carehub-ports-" + std::to_string(::getuid()));
  std::filesystem::create_directories(locks);
  std::random_device random;
  std::uniform_int_distribution<int> any(10'000, std::max(ephemeral, 11'000) - 1);
  for (int tries = 0; tries < 10'000; ++tries) {
    const int port = any(random);
    // Held for as long as the process lives.
    const int lock = ::open((locks / std::to_string(port)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) continue;
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool is_ours = ::flock(lock, LOCK_EX | LOCK_NB) == 0 &&
                         ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    if (is_ours) return static_cast<std::uint16_t>(port);
    ::close(lock);
  }
  throw std::runtime_error("no port is free");
}

}  // namespace carehub::fakes
