#include "broker/client/subscriptions.hpp"

#include <algorithm>

#include "broker/base/wire_frame.hpp"

namespace carehub::client {

namespace {

constexpr std::uint32_t kNoReplaysRetryMs = 60'000;

std::vector<ledger::Range> ranges_of(std::vector<Sequence>& sequences) {
  std::sort(sequences.begin(), sequences.end());
  std::vector<ledger::Range> ranges;
  for (const Sequence sequence : sequences) {
    if (!ranges.empty() && sequence <= ranges.back().last() + 1) {
      ranges.back() = ledger::Range(ranges.back().first(), sequence);
    } else {
      ranges.emplace_back(sequence, sequence);
    }
  }
  return ranges;
}

}  // namespace

Result<void> Subscriptions::add(SubscribeOptions options, Deliver deliver, Refused refused) {
  const std::string name = options.name;
  if (all_.contains(name))
    return fail(ErrorKind::conflict, "this client has subscribed to `" + name + "` already");
  One one;
  one.options = std::move(options);
  one.deliver = std::move(deliver);
  one.refused = std::move(refused);
  all_.emplace(name, std::move(one));
  return {};
}

void Subscriptions::deliver(const wire::Deliver& frame) {
  if (frame.subscription() == nullptr || frame.deliveries() == nullptr) return;
  const auto name = frame.subscription()->str();
  const bool replay = frame.replay_of() != nullptr && frame.replay_of()->size() > 0;
  const auto found = all_.find(replay ? frame.replay_of()->str() : name);
  if (found == all_.end()) return;
  One& one = found->second;
  Stream& stream = replay ? one.replays[name] : one.live;
  std::vector<wire::DeliveryT> deliveries(frame.deliveries()->size());
  for (flatbuffers::uoffset_t at = 0; at < frame.deliveries()->size(); ++at) {
    frame.deliveries()->Get(at)->UnPackTo(&deliveries[at]);
    ++stream.given[deliveries[at].sequence].live;
  }
  if (!replay) {
    one.deliver(std::move(deliveries));
  } else if (one.options.replayed) {
    one.options.replayed(name, std::move(deliveries));
  } else {
    for (const auto& each : deliveries)
      take_answer(stream,
                  {each.sequence, ledger::NakKind::unavailable, "takes no replays", kNoReplaysRetryMs});
  }
}

Subscriptions::Stream* Subscriptions::stream(const std::string& name) {
  if (const auto found = all_.find(name); found != all_.end()) return &found->second.live;
  for (auto& [subscription, one] : all_) {
    if (const auto found = one.replays.find(name); found != one.replays.end()) return &found->second;
  }
  return nullptr;
}

void Subscriptions::take_answer(Stream& stream, const Answer& answer) {
  const auto given = stream.given.find(answer.sequence);
  if (given == stream.given.end()) return;
  // Answers to one sequence come in the order of its deliveries, so the stale ones first.
  const bool stale = given->second.stale > 0;
  --(stale ? given->second.stale : given->second.live);
  if (given->second.stale == 0 && given->second.live == 0) stream.given.erase(given);
  if (stale) return;
  ++stream.credit;
  if (!answer.nak) {
    stream.acked.push_back(answer.sequence);
    return;
  }
  auto item = std::make_unique<wire::NakItemT>();
  item->sequence = answer.sequence;
  item->kind = *answer.nak;
  item->code = answer.code.substr(0, limits::kNameBytesMax);
  item->retry_after_ms = answer.retry_after_ms;
  stream.nacked.push_back(std::move(item));
}

void Subscriptions::answer(const std::string& name, const std::vector<Answer>& answers) {
  auto* answered = stream(name);
  if (answered == nullptr) return;
  for (const Answer& each : answers) take_answer(*answered, each);
}

void Subscriptions::accepted(const std::string& name) {
  std::erase(unanswered_, name);
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  found->second.accepted = true;
  if (found->second.options.confirmed) found->second.options.confirmed();
}

bool Subscriptions::refuse_oldest(const Error& error) {
  if (unanswered_.empty()) return false;
  refuse(std::string(unanswered_.front()), error);
  return true;
}

void Subscriptions::refuse(const std::string& name, const Error& error) {
  std::erase(unanswered_, name);
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  const Refused refused = std::move(found->second.refused);
  all_.erase(found);
  if (refused) refused(error);
}

void Subscriptions::take_answers(const std::string& name, Stream& stream, std::vector<Bytes>& out) {
  if (!stream.acked.empty()) {
    wire::AckT ack;
    ack.subscription = name;
    ack.ranges = ranges_of(stream.acked);
    stream.acked.clear();
    out.push_back(frame_bytes(std::move(ack)));
  }
  if (!stream.nacked.empty()) {
    wire::NakT nak;
    nak.subscription = name;
    nak.items = std::move(stream.nacked);
    stream.nacked.clear();
    out.push_back(frame_bytes(std::move(nak)));
  }
  if (stream.credit > 0) {
    wire::CreditT credit;
    credit.subscription = name;
    credit.amount = stream.credit;
    stream.credit = 0;
    out.push_back(frame_bytes(std::move(credit)));
  }
}

void Subscriptions::take_frames(std::vector<Bytes>& out) {
  for (auto& [name, one] : all_) {
    if (!one.asked) {
      one.asked = true;
      unanswered_.push_back(name);
      wire::SubscribeT subscribe;
      subscribe.name = name;
      subscribe.role = one.options.role;
      subscribe.filter = std::make_unique<ledger::FilterT>(one.options.filter);
      subscribe.durable = one.options.durable;
      subscribe.credit = one.options.credit;
      subscribe.rate_per_minute = one.options.rate_per_minute;
      out.push_back(frame_bytes(std::move(subscribe)));
    }
    take_answers(name, one.live, out);
    for (auto& [replay, stream] : one.replays) take_answers(replay, stream, out);
    std::erase_if(one.replays, [](const auto& replay) { return replay.second.empty(); });
  }
}

void Subscriptions::rewind(Stream& stream) {
  stream.acked.clear();
  stream.nacked.clear();
  stream.credit = 0;
  for (auto& [sequence, given] : stream.given) {
    given.stale += given.live;
    given.live = 0;
  }
}

void Subscriptions::rewind() {
  unanswered_.clear();
  for (auto& [name, one] : all_) {
    one.asked = false;
    one.accepted = false;
    rewind(one.live);
    for (auto& [replay, stream] : one.replays) rewind(stream);
  }
}

}  // namespace carehub::client
