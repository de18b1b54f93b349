#include "broker/client/subscriptions.hpp"

#include <algorithm>

#include "broker/base/wire_frame.hpp"

namespace carehub::client {

namespace {

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
  const auto found = all_.find(frame.subscription()->str());
  if (found == all_.end()) return;
  One& one = found->second;
  std::vector<wire::DeliveryT> deliveries(frame.deliveries()->size());
  for (flatbuffers::uoffset_t at = 0; at < frame.deliveries()->size(); ++at) {
    frame.deliveries()->Get(at)->UnPackTo(&deliveries[at]);
    ++one.given[deliveries[at].sequence].live;
  }
  one.deliver(std::move(deliveries));
}

void Subscriptions::answer(const std::string& name, const std::vector<Answer>& answers) {
  const auto found = all_.find(name);
  if (found == all_.end()) return;
  One& one = found->second;
  for (const Answer& each : answers) {
    const auto given = one.given.find(each.sequence);
    if (given == one.given.end()) continue;
    // Answers to one sequence come in the order of its deliveries, so the stale ones first.
    const bool stale = given->second.stale > 0;
    --(stale ? given->second.stale : given->second.live);
    if (given->second.stale == 0 && given->second.live == 0) one.given.erase(given);
    if (stale) continue;
    ++one.credit;
    if (!each.nak) {
      one.acked.push_back(each.sequence);
      continue;
    }
    auto item = std::make_unique<wire::NakItemT>();
    item->sequence = each.sequence;
    item->kind = *each.nak;
    item->code = each.code.substr(0, limits::kNameBytesMax);
    item->retry_after_ms = each.retry_after_ms;
    one.nacked.push_back(std::move(item));
  }
}

void Subscriptions::accepted(const std::string& name) {
  if (const auto found = all_.find(name); found != all_.end()) found->second.accepted = true;
  std::erase(unanswered_, name);
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

void Subscriptions::take_answers(One& one, std::vector<Bytes>& out) {
  const std::string& name = one.options.name;
  if (!one.acked.empty()) {
    wire::AckT ack;
    ack.subscription = name;
    ack.ranges = ranges_of(one.acked);
    one.acked.clear();
    out.push_back(frame_bytes(std::move(ack)));
  }
  if (!one.nacked.empty()) {
    wire::NakT nak;
    nak.subscription = name;
    nak.items = std::move(one.nacked);
    one.nacked.clear();
    out.push_back(frame_bytes(std::move(nak)));
  }
  if (one.credit > 0) {
    wire::CreditT credit;
    credit.subscription = name;
    credit.amount = one.credit;
    one.credit = 0;
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
    take_answers(one, out);
  }
}

void Subscriptions::rewind() {
  unanswered_.clear();
  for (auto& [name, one] : all_) {
    one.asked = false;
    one.accepted = false;
    one.acked.clear();
    one.nacked.clear();
    one.credit = 0;
    for (auto& [sequence, given] : one.given) {
      given.stale += given.live;
      given.live = 0;
    }
  }
}

}  // namespace carehub::client
