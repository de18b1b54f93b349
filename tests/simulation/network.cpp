#include "tests/simulation/network.hpp"

#include <algorithm>

#include "broker/base/assert.hpp"

namespace carehub::simulation {

Network::Link* Network::of_hub(ConnectionId connection) {
  for (auto& [id, link] : links_) {
    if (link.id == connection) return &link;
  }
  return nullptr;
}

void Network::put(std::deque<Frame>& queue, const Link& link, Bytes frame) {
  std::int64_t arrives_us = clock_.steady_us() + link.delay_us;
  if (!queue.empty()) arrives_us = std::max(arrives_us, queue.back().arrives_us);
  queue.push_back({arrives_us, ++order_, std::move(frame)});
}

void Network::tell_gone(std::vector<server::Received>& out) {
  for (auto link = links_.begin(); link != links_.end();) {
    const auto& heard = link->second.hub_hears_us;
    if (heard && *heard <= clock_.steady_us() && link->second.to_hub.empty()) {
      server::Received gone;
      gone.connection = link->second.id;
      gone.gone = true;
      out.push_back(std::move(gone));
      tap_.hub_forgot(serial_of(link->second));
      link->second.hub_hears_us.reset();
      link->second.id = 0;
    }
    const bool over = link->second.cut && link->second.id == 0 && is_gone(link->first);
    link = over ? links_.erase(link) : std::next(link);
  }
}

void Network::receive(std::vector<server::Received>& out, std::size_t frames_max, std::size_t) {
  while (out.size() < frames_max) {
    Link* first = nullptr;
    for (auto& [id, link] : links_) {
      if (link.id == 0 || link.to_hub.empty() || link.to_hub.front().arrives_us > clock_.steady_us())
        continue;
      if (first == nullptr || link.to_hub.front().order < first->to_hub.front().order) first = &link;
    }
    if (first == nullptr) break;
    server::Received received;
    received.connection = first->id;
    received.agency = first->agency;
    received.client = "client-of-" + first->agency;
    received.bytes = std::move(first->to_hub.front().bytes);
    first->to_hub.pop_front();
    ++frames_taken_;
    tap_.hub_took(serial_of(*first), first->agency, received.bytes);
    out.push_back(std::move(received));
  }
  if (out.size() < frames_max) tell_gone(out);
}

server::Transport::Sent Network::send(ConnectionId connection, BytesView frame) {
  Link* link = of_hub(connection);
  if (link == nullptr) return Sent::gone;
  if (link->to_client.size() >= kPipeFrames) {
    link->was_full = true;
    return Sent::full;
  }
  tap_.hub_sent(serial_of(*link), link->agency, frame, link->was_full);
  if (!link->cut) put(link->to_client, *link, Bytes(frame.begin(), frame.end()));
  return Sent::sent;
}

void Network::close(ConnectionId connection) {
  Link* link = of_hub(connection);
  if (link == nullptr) return;
  tap_.hub_forgot(serial_of(*link));
  link->hub_hears_us.reset();
  link->id = link->cut ? 0 : ++last_id_;
}

LinkId Network::connect(const std::string& agency) {
  Link link;
  link.id = ++last_id_;
  link.agency = agency;
  links_.emplace(++last_link_, std::move(link));
  return last_link_;
}

void Network::say(LinkId id, Bytes frame) {
  const auto found = links_.find(id);
  if (found == links_.end() || found->second.cut) return;
  put(found->second.to_hub, found->second, std::move(frame));
}

std::optional<Bytes> Network::hear(LinkId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return std::nullopt;
  auto& [delivered, link] = *found;
  if (link.stopped || link.to_client.empty() || link.to_client.front().arrives_us > clock_.steady_us())
    return std::nullopt;
  Bytes bytes = std::move(link.to_client.front().bytes);
  link.to_client.pop_front();
  return bytes;
}

bool Network::is_gone(LinkId id) const {
  const auto found = links_.find(id);
  if (found == links_.end()) return true;
  const auto& heard = found->second.client_hears_us;
  return heard && *heard <= clock_.steady_us();
}

void Network::hang_up(LinkId id, Dice& dice) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  Link& link = found->second;
  if (!link.cut) {
    cut(id, dice);
  } else if (link.id != 0 && !link.hub_hears_us && dice.one_in(2)) {
    link.hub_hears_us = clock_.steady_us();
  }
  link.to_client.clear();
  link.client_hears_us = clock_.steady_us();
}

void Network::cut(LinkId id, Dice& dice) {
  const auto found = links_.find(id);
  if (found == links_.end() || found->second.cut) return;
  Link& link = found->second;
  link.cut = true;
  // A part of what was under way still comes in.
  const std::size_t kept = dice.below(link.to_hub.size() + 1);
  link.to_hub.resize(kept);
  link.to_client.resize(dice.below(link.to_client.size() + 1));
  if (!dice.one_in(4)) link.hub_hears_us = clock_.steady_us() + dice.between(0, 3 * kSecondUs);
  if (!dice.one_in(4)) link.client_hears_us = clock_.steady_us() + dice.between(0, 3 * kSecondUs);
}

void Network::hub_died() {
  for (auto& [id, link] : links_) {
    link.cut = true;
    link.id = 0;
    link.to_hub.clear();
    link.hub_hears_us.reset();
    if (!link.client_hears_us) link.client_hears_us = clock_.steady_us() + kMillisecondUs;
  }
  ++incarnation_;
  last_id_ = 0;
}

void Network::slow_down(LinkId id, std::int64_t delay_us) {
  if (const auto found = links_.find(id); found != links_.end()) found->second.delay_us = delay_us;
}

void Network::stop_reading(LinkId id, bool stopped) {
  if (const auto found = links_.find(id); found != links_.end()) found->second.stopped = stopped;
}

std::deque<Network::Frame>* Network::some_queue(Dice& dice) {
  std::vector<std::deque<Frame>*> queues;
  for (auto& [id, link] : links_) {
    if (link.cut) continue;
    if (!link.to_hub.empty()) queues.push_back(&link.to_hub);
    if (!link.to_client.empty()) queues.push_back(&link.to_client);
  }
  return queues.empty() ? nullptr : queues[dice.below(queues.size())];
}

void Network::double_frame(Dice& dice) {
  auto* queue = some_queue(dice);
  if (queue == nullptr) return;
  Frame again = (*queue)[dice.below(queue->size())];
  again.arrives_us = queue->back().arrives_us;
  again.order = ++order_;
  queue->push_back(std::move(again));
}

void Network::swap_frames(Dice& dice) {
  auto* queue = some_queue(dice);
  if (queue == nullptr || queue->size() < 2) return;
  const std::size_t at = dice.below(queue->size() - 1);
  std::swap((*queue)[at].bytes, (*queue)[at + 1].bytes);
}

void Network::drop_frame(Dice& dice) {
  auto* queue = some_queue(dice);
  if (queue == nullptr) return;
  queue->erase(queue->begin() + static_cast<std::ptrdiff_t>(dice.below(queue->size())));
}

void Network::calm() {
  for (auto& [id, link] : links_) {
    link.delay_us = 0;
    link.stopped = false;
    for (auto* queue : {&link.to_hub, &link.to_client}) {
      for (Frame& frame : *queue) frame.arrives_us = std::min(frame.arrives_us, clock_.steady_us());
    }
    if (!link.cut) continue;
    link.client_hears_us = clock_.steady_us();
    if (link.id != 0) link.hub_hears_us = clock_.steady_us();
  }
}

std::vector<LinkId> Network::live() const {
  std::vector<LinkId> found;
  for (const auto& [id, link] : links_) {
    if (!link.cut) found.push_back(id);
  }
  return found;
}

}  // namespace carehub::simulation
