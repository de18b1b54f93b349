#include "broker/server/peers.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"

namespace carehub::server {

namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

/// Names go into entries and logs, so they hold no control characters.
bool is_name(const std::string& text) {
  return text.size() <= limits::kNameBytesMax && std::all_of(text.begin(), text.end(), [](char each) {
           return static_cast<unsigned char>(each) >= 0x20 && each != 0x7F;
         });
}

}  // namespace

Result<void> Peers::greet(const Received& received, const wire::Hello& hello, Timestamp now) {
  if (peers_.contains(received.connection)) {
    return fail(ErrorKind::invalid, "this connection has said Hello before; open a new one");
  }
  const std::string agency = text_of(hello.agency());
  const std::string client = text_of(hello.client());
  if (!is_name(agency) || !is_name(client)) {
    return fail(ErrorKind::invalid, "Hello: client and agency are names of at most 128 bytes");
  }
  if (!received.is_local && !agency.empty() && agency != received.agency) {
    return fail(ErrorKind::denied, "Hello: this key does not belong to the agency that it names");
  }
  core::Peer peer;
  peer.connection = received.connection;
  peer.agency = received.is_local ? agency : received.agency;
  peer.client = received.is_local ? client : received.client;
  peer.is_operator = peer.agency.empty();
  peers_.emplace(received.connection, One{std::move(peer), now, now});
  return {};
}

const core::Peer* Peers::find(ConnectionId connection) const {
  const auto found = peers_.find(connection);
  return found == peers_.end() ? nullptr : &found->second.peer;
}

void Peers::heard(ConnectionId connection, Timestamp now) {
  if (const auto found = peers_.find(connection); found != peers_.end()) found->second.heard = now;
}

void Peers::said(ConnectionId connection, Timestamp now) {
  if (const auto found = peers_.find(connection); found != peers_.end()) found->second.said = now;
}

std::vector<ConnectionId> Peers::unspoken(Timestamp before) const {
  std::vector<ConnectionId> found;
  for (const auto& [connection, one] : peers_) {
    if (one.said < before) found.push_back(connection);
  }
  return found;
}

std::vector<ConnectionId> Peers::silent(Timestamp before) const {
  std::vector<ConnectionId> found;
  for (const auto& [connection, one] : peers_) {
    if (one.heard < before) found.push_back(connection);
  }
  return found;
}

std::vector<ConnectionId> Peers::all() const {
  std::vector<ConnectionId> found;
  for (const auto& [connection, one] : peers_) found.push_back(connection);
  return found;
}

}  // namespace carehub::server
