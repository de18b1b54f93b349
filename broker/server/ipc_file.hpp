#pragma once

#include <functional>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::server {

/// Removes a socket file that nobody listens on any more. `unavailable` when somebody does, or the file is no
/// socket.
Result<void> clear_stale_socket(const std::string& path);

/// Runs `make` so that files it makes are the user's alone (mode 0600). For start-up: the mask is the
/// process's.
bool with_private_files(const std::function<bool()>& make);

}  // namespace carehub::server
