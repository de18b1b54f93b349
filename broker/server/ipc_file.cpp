#include "broker/server/ipc_file.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace carehub::server {

Result<void> clear_stale_socket(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorKind::invalid,
                "socket `" + path + "`: its path needs 1 to 107 bytes; use a shorter one");
  }
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorKind::unavailable, "socket `" + path + "`: something that is no socket is in its place");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0)
    return fail(ErrorKind::unavailable, "socket `" + path + "`: no file handle is left to try it");
  const bool refused = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                       errno == ECONNREFUSED;
  ::close(probe);
  if (!refused) return fail(ErrorKind::unavailable, "socket `" + path + "`: another process listens on it");
  if (::unlink(path.c_str()) != 0) {
    return fail(ErrorKind::unavailable, "socket `" + path + "`: left behind, and cannot be removed");
  }
  return {};
}

bool with_private_files(const std::function<bool()>& make) {
  const mode_t before = ::umask(S_IXUSR | S_IRWXG | S_IRWXO);
  const bool made = make();
  ::umask(before);
  return made;
}

}  // namespace carehub::server
