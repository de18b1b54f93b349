#include "broker/server/replays.hpp"

#include <algorithm>

#include "broker/core/wire_frames.hpp"

namespace carehub::server {
namespace {

constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kSilenceUs = 5 * kSecondUs;

}  // namespace

std::optional<Bytes> Replays::start(core::AskReplay ask) {
  const auto of_peer = std::count_if(active_.begin(), active_.end(), [&](const Active& each) {
    return each.ask.peer.connection == ask.peer.connection;
  });
  if (active_.size() >= kActiveMax || static_cast<std::size_t>(of_peer) >= kPeerActiveMax) {
    return core::refused_replay(ask.replay.number, ErrorKind::overloaded,
                                "too many replays run now; ask again when one has ended");
  }
  const Sequence first = ask.replay.first;
  active_.push_back({.ask = std::move(ask), .next = first});
  return std::nullopt;
}

/// As many as its rate lets through now: at most those of a second, and one at least once its time has come.
std::size_t Replays::allowed(const Active& replay, Timestamp now) {
  const auto rate = replay.ask.replay.rate_per_minute;
  if (rate == 0 || replay.ask.replay.preview) return limits::kDeliverItemsMax;
  const auto passed = std::min(now.us - replay.taken_until.us, kSecondUs);
  if (passed < 0) return 0;
  return std::min<std::size_t>(limits::kDeliverItemsMax,
                               1 + static_cast<std::size_t>(passed * rate / kMinuteUs));
}

void Replays::take(Active& replay, std::size_t deliveries, Timestamp now) {
  const auto rate = replay.ask.replay.rate_per_minute;
  if (rate == 0) return;
  replay.taken_until.us = std::max(replay.taken_until.us, now.us - kSecondUs) +
                          static_cast<std::int64_t>(deliveries) * kMinuteUs / rate;
}

/// One that waits for its rate would keep what is in clear in memory for long, and a preview sends nothing.
bool Replays::reads_ahead(const Active& replay) const {
  if (!apart_ || replay.ask.replay.rate_per_minute != 0 || replay.ask.replay.preview) return false;
  if (replay.coming) return true;
  const auto ahead =
      std::ranges::count_if(active_, [](const Active& each) { return each.coming != nullptr; });
  return static_cast<std::size_t>(ahead) < kAheadMax;
}

void Replays::read(Active& replay, Sequence from) {
  replay.coming = std::make_shared<Coming>();
  apart_([coming = replay.coming, from, this] {
    auto read = history_.read_ahead(from);
    {
      const std::lock_guard lock(coming->mutex);
      coming->read = std::move(read);
    }
    wake_();
  });
}

/// Whether the next part can be made without waiting for what is being read. The one behind is begun on.
bool Replays::is_read(Active& replay) {
  if (replay.here.holds(replay.next)) return true;
  if (!replay.coming) {
    read(replay, replay.next);
    return false;
  }
  {
    const std::lock_guard lock(replay.coming->mutex);
    if (!replay.coming->read) return false;
    replay.here = std::move(*replay.coming->read);
  }
  // Where it is not in there, it is at the ledger's end or does not open: the part itself finds out.
  if (replay.here.holds(replay.next)) {
    read(replay, replay.here.behind());
  } else {
    replay.coming.reset();
  }
  return true;
}

std::optional<ConnectionId> Replays::advance(Timestamp now, bool& sent) {
  sent = false;
  for (auto each = active_.begin(); each != active_.end(); ++each) {
    const ConnectionId connection = each->ask.peer.connection;
    if (backlog_.holds(connection)) continue;
    const auto deliveries_max = allowed(*each, now);
    care::History::ReplayPart part;
    if (deliveries_max > 0) {
      if (reads_ahead(*each) && !is_read(*each)) continue;
      part = history_.replay(each->ask, each->next, deliveries_max, &each->here);
      take(*each, part.frame.deliveries.size(), now);
      each->next = part.next;
    } else if (now.us - each->heard.us < kSilenceUs) {
      continue;
    } else {
      part.frame.next = each->next;  // a reader that hears nothing for long takes the hub for gone
    }
    each->heard = now;
    const bool last = part.frame.last;
    part.frame.number = each->ask.replay.number;
    sent = true;
    const auto outcome = backlog_.send(connection, core::replayed_frame(part.frame));
    if (outcome != Backlog::Outcome::taken) return connection;
    if (last) {
      active_.erase(each);
    } else {
      active_.splice(active_.end(), active_, each);
    }
    return std::nullopt;
  }
  return std::nullopt;
}

void Replays::forget(ConnectionId connection) {
  active_.remove_if([connection](const Active& each) { return each.ask.peer.connection == connection; });
}

}  // namespace carehub::server
