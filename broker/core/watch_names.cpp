#include "broker/core/watch_names.hpp"

#include <algorithm>

namespace carehub::core {

std::string watch_name(const Peer& peer, const std::string& label) {
  auto whose = peer.is_operator ? ":" + peer.client : peer.agency;
  std::ranges::replace(whose, '/', '-');  // of a replay's name
  return kWatchMark + whose + ":" + label + "@" + std::to_string(peer.connection);
}

std::optional<std::string_view> agency_of_watch(std::string_view name) {
  // No label and no agency's id has a colon.
  const auto end = name.find(':');
  if (!name.starts_with(kWatchMark) || end == std::string_view::npos) return std::nullopt;
  return name.substr(1, end - 1);
}

}  // namespace carehub::core
