#include "tests/disclosure/watched_hub.hpp"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "broker/base/clock.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::disclosure {
namespace {

constexpr std::size_t kKeyText = 41;

}  // namespace

const char* name_of(Way way) {
  return way == Way::inproc ? "inproc" : way == Way::ipc ? "ipc" : "TCP with CURVE";
}

std::string today() { return to_rfc3339(SystemClock().now()).substr(0, 10); }

WatchedHub::Keys WatchedHub::Keys::made() {
  std::array<char, kKeyText> public_key{};
  std::array<char, kKeyText> secret_key{};
  zmq_curve_keypair(public_key.data(), secret_key.data());
  return {public_key.data(), secret_key.data()};
}

WatchedHub::WatchedHub(std::vector<core::Agency> agencies, const PolicyModel& policy)
    : agencies_(std::move(agencies)) {
  server::HubOptions options;
  options.name = "Northmarch";
  options.data = directory_.path() / "data";
  options.endpoints = {"ipc://" + (directory_.path() / "hub.sock").string(), "tcp://127.0.0.1:*"};
  options.rules.agencies = agencies_;
  options.rules.policy_text = policy.text();
  options.rules.policy_file = "policy.toml";
  options.curve_secret = hub_keys_.secret_key;
  options.witnesses.known = {{"March", *storage::verify::parse_key(witness_.public_text())}};
  keys_.emplace("", Keys::made());
  for (const auto& each : agencies_) keys_.emplace(each.id, Keys::made());
  for (const auto& [id, keys] : keys_) options.allowed.push_back({keys.public_key, id, "client-of-" + id});
  auto started = server::Hub::start(std::move(options));
  if (!started) throw std::runtime_error(started.error().text);
  hub_ = std::move(*started);
}

WirePeer WatchedHub::peer(Way way, const std::string& agency) const {
  client::ClientOptions options;
  options.client = "client-of-" + agency;
  options.agency = agency;
  if (way == Way::inproc) {
    options.endpoint = server::kInprocEndpoint;
    options.zmq_context = hub_->zmq_context();
  } else {
    for (const auto& bound : hub_->endpoints()) {
      if (bound.starts_with(way == Way::ipc ? "ipc:" : "tcp:")) options.endpoint = bound;
    }
  }
  if (way == Way::tcp) {
    const auto& own = keys_.at(agency);
    options.curve = client::CurveKeys{hub_keys_.public_key, own.public_key, own.secret_key};
  }
  return WirePeer(options);
}

const core::Agency& WatchedHub::agency(const std::string& id) const {
  static const core::Agency nobody;
  const auto found = std::ranges::find(agencies_, id, &core::Agency::id);
  return found == agencies_.end() ? nobody : *found;
}

}  // namespace carehub::disclosure
