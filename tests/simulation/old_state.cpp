#include "tests/simulation/client.hpp"

// A subscriber that remembers what it was shown on connections before: some of it answered, some not. It
// says so on the next one, before or after it has subscribed again, under the right name or another; or on
// the former connection, which may live on while the next one has the subscription.

namespace carehub::simulation {

void Subscriber::remember(const Former& former) {
  if (former_.size() == kRememberedMax) former_.pop_front();
  former_.push_back(former);
}

void Subscriber::come_back_with_old_state(Dice& dice) {
  for (const Former& each : answered_) remember(each);
  for (const Shown& each : shown_) remember({each, false, false});
  for (const auto& [stream, amount] : to_return_) former_credit_[stream] += amount;
  if (!welcomed() || !dice.one_in(2)) return drop(dice);
  if (former_link_) network_.hang_up(*former_link_, dice);
  former_link_ = step_aside();
}

void Subscriber::forget_old_state(Dice& dice) {
  if (former_link_) network_.hang_up(*former_link_, dice);
  former_link_.reset();
  former_.clear();
  former_credit_.clear();
}

void Subscriber::on_any_turn(Dice& dice) {
  if (!former_link_) return;
  hear_former_link();
  if (network_.is_gone(*former_link_) || dice.one_in(40)) {
    network_.hang_up(*former_link_, dice);
    former_link_.reset();
    return;
  }
  switch (dice.below(12)) {
    case 0: {
      wire::UnsubscribeT leave;
      leave.name = interest_.name;
      return network_.say(*former_link_, frame_bytes(std::move(leave)));
    }
    case 1:
    case 2: return network_.say(*former_link_, frame_bytes(wire::HeartbeatT()));
    case 3:
    case 4:
    case 5:
    case 6: return say_old(dice);
    default: return;
  }
}

void Subscriber::hear_former_link() {
  while (auto bytes = network_.hear(*former_link_)) {
    const auto* deliver = wire::GetFrame(bytes->data())->message_as_Deliver();
    if (deliver == nullptr || deliver->deliveries() == nullptr) continue;
    for (const auto* delivery : *deliver->deliveries()) {
      const auto* view = event::GetEvent(delivery->view()->data());
      remember({{delivery->sequence(), view->id()->str(), deliver->subscription()->str()}, false, false});
    }
  }
}

/// On this connection or the one before it.
void Subscriber::say_there(Bytes bytes, Dice& dice) {
  if (former_link_ && (!welcomed() || dice.one_in(2))) {
    network_.say(*former_link_, std::move(bytes));
  } else if (welcomed()) {
    say_bytes(std::move(bytes));
  }
}

void Subscriber::say_old(Dice& dice) {
  if (mood_ == Mood::silent) return;
  for (std::uint64_t count = 1 + dice.below(6); count > 0 && !former_.empty(); --count) {
    const auto which = former_.begin() + static_cast<std::ptrdiff_t>(dice.below(former_.size()));
    const Former former = *which;
    // Some of it is said more than once.
    if (!dice.one_in(4)) former_.erase(which);
    answer_old(former, dice);
  }
  if (!dice.one_in(3)) return;
  for (const auto& [stream, amount] : former_credit_) {
    wire::CreditT credit;
    credit.subscription = stream;
    credit.amount = amount;
    say_there(frame_bytes(std::move(credit)), dice);
  }
  if (!dice.one_in(4)) former_credit_.clear();
}

/// As before, or otherwise; of what it has not answered, as it takes it now.
void Subscriber::answer_old(Former former, Dice& dice) {
  std::string stream = former.shown.stream;
  if (dice.one_in(4)) {
    const auto slash = stream.find('/');
    stream = slash == std::string::npos ? interests()[dice.below(kInterests)].name : stream.substr(0, slash);
  }
  const Taste taste = taste_of(former.shown.id);
  if (taste == Taste::poison) return;
  bool takes = former.answered ? former.taken : mood_ == Mood::well && taste == Taste::good;
  if (former.answered && dice.one_in(5)) takes = !takes && taste == Taste::good;
  if (takes) {
    taken_.insert({stream, former.shown.sequence});
    wire::AckT ack;
    ack.subscription = stream;
    ack.ranges = {ledger::Range(former.shown.sequence, former.shown.sequence)};
    return say_there(frame_bytes(std::move(ack)), dice);
  }
  using ledger::NakKind;
  wire::NakT nak;
  nak.subscription = stream;
  auto item = std::make_unique<wire::NakItemT>();
  item->sequence = former.shown.sequence;
  item->code = kOldCode;
  item->kind =
      std::array{NakKind::failed, NakKind::failed, NakKind::unavailable, NakKind::rejected}[dice.below(4)];
  if (dice.one_in(4)) item->retry_after_ms = static_cast<std::uint32_t>(dice.below(3'000));
  nak.items.push_back(std::move(item));
  say_there(frame_bytes(std::move(nak)), dice);
}

}  // namespace carehub::simulation
