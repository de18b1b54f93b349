#include "adapters/channel/door_report.hpp"

namespace carehub::adapters {

void DoorReport::ask(wire::TellDoorT frame, const Kept& done) {
  frame.door = door_;
  const auto heard = [post = post_, done](const Result<client::Reply>& reply) {
    const auto* handled = reply ? std::get_if<wire::HandledT>(&*reply) : nullptr;
    const bool kept = handled != nullptr && handled->error == wire::ErrorKind::unknown;
    post([done, kept] { done(kept); });
  };
  if (!hub_.ask(std::move(frame), heard)) done(false);
}

void DoorReport::tell(wire::DoorEvent event, const std::string& account, const Kept& done) {
  wire::TellDoorT frame;
  auto& said = *frame.events.emplace_back(std::make_unique<wire::AtDoorT>());
  said.event = event;
  said.account = account;
  ask(std::move(frame), done);
}

void DoorReport::turned_away(const TurnedAwayCounts& totals) {
  if (telling_) return;
  wire::TellDoorT frame;
  for (const auto& [cause, total] : totals) {
    const auto before = told_.find(cause);
    const auto count = total - (before == told_.end() ? 0 : before->second);
    if (count == 0) continue;
    auto& said = *frame.events.emplace_back(std::make_unique<wire::AtDoorT>());
    said.event = wire::DoorEvent::turned_away;
    said.cause = cause;
    said.count = count;
  }
  if (frame.events.empty()) return;
  telling_ = true;
  ask(std::move(frame), [weak = weak_from_this(), totals](bool kept) {
    const auto self = weak.lock();
    if (!self) return;
    self->telling_ = false;
    if (kept) self->told_ = totals;
  });
}

}  // namespace carehub::adapters
