#include "tests/simulation/client.hpp"

#include <algorithm>

namespace carehub::simulation {
namespace {

constexpr std::int64_t kHeartbeatUs = 2 * kSecondUs;
constexpr std::int64_t kSilenceUs = 10 * kSecondUs;
constexpr std::int64_t kSayAgainUs = 20 * kSecondUs;
constexpr std::size_t kItemsOfOneFrame = 24;

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

}  // namespace

Session::Session(std::string agency, Network& network, fakes::HandClock& clock)
    : network_(network), clock_(clock), agency_(std::move(agency)) {}

void Session::say_bytes(Bytes bytes) {
  if (!link_) return;
  said_us_ = clock_.steady_us();
  network_.say(*link_, std::move(bytes));
}

void Session::connect() {
  link_ = network_.connect(agency_);
  welcomed_ = false;
  heard_us_ = clock_.steady_us();
  wire::HelloT hello;
  hello.client = "simulated";
  hello.agency = agency_;
  hello.last_receipt = last_receipt();
  say(std::move(hello));
}

void Session::drop(Dice& dice) {
  if (link_) network_.hang_up(*link_, dice);
  link_.reset();
  welcomed_ = false;
  not_before_us_ = clock_.steady_us() + dice.between(0, 200 * kMillisecondUs);
  on_lost();
}

void Session::leave(Dice& dice) {
  if (welcomed_ && dice.one_in(3)) say(wire::GoodbyeT());
  drop(dice);
}

std::optional<LinkId> Session::step_aside() {
  const auto link = std::exchange(link_, std::nullopt);
  welcomed_ = false;
  not_before_us_ = clock_.steady_us();
  on_lost();
  return link;
}

void Session::turn(Dice& dice) {
  on_any_turn(dice);
  if (!link_) {
    if (away_ || clock_.steady_us() < not_before_us_) return;
    connect();
    return;
  }
  while (auto bytes = network_.hear(*link_)) {
    heard_us_ = clock_.steady_us();
    const wire::Frame* frame = wire::GetFrame(bytes->data());
    if (frame->message_as_Welcome() != nullptr && !welcomed_) {
      welcomed_ = true;
      on_welcome(dice);
    } else if (frame->message_as_Goodbye() != nullptr ||
               (frame->message_as_Rejected() != nullptr && frame->message_as_Rejected()->closing())) {
      return drop(dice);
    } else if (welcomed_) {
      on_frame(*frame, dice);
    }
  }
  if (network_.is_gone(*link_) || clock_.steady_us() - heard_us_ > kSilenceUs) return drop(dice);
  if (welcomed_) on_turn(dice);
  if (clock_.steady_us() - said_us_ >= kHeartbeatUs) say(wire::HeartbeatT());
}

Publisher::Publisher(int number, Network& network, fakes::HandClock& clock)
    : Session(publisher_desks()[static_cast<std::size_t>(number)].agency, network, clock), number_(number) {}

void Publisher::publish(const Publication& publication) {
  ever_.push_back(&publication);
  waiting_.push_back({++last_number_, &publication});
}

void Publisher::come_back_with_old_state(Dice& dice) {
  if (ever_.empty()) return;
  // An outbox of some time ago: what has its receipt by now is in it again.
  const std::size_t from = dice.below(ever_.size());
  const std::size_t until = std::min(ever_.size(), from + 1 + dice.below(8));
  for (std::size_t each = from; each < until; ++each) waiting_.push_back({++last_number_, ever_[each]});
  if (dice.one_in(2)) last_receipt_ = dice.below(last_receipt_ + 1);
}

void Publisher::repeat_all() {
  for (const Publication* publication : ever_) waiting_.push_back({++last_number_, publication});
}

void Publisher::on_welcome(Dice&) { forget_what_was_said(); }

void Publisher::forget_what_was_said() {
  for (Item& item : waiting_) item.said = false;
  again_us_ = 0;
}

void Publisher::on_turn(Dice& dice) {
  const std::int64_t now_us = clock_.steady_us();
  // Only a network that drops makes a client wait for so long.
  if (now_us - said_last_us_ > kSayAgainUs) forget_what_was_said();
  if (now_us < again_us_) return;
  wire::PublishT frame;
  const std::size_t count = 1 + dice.below(kItemsOfOneFrame);
  for (Item& next : waiting_) {
    if (next.said) continue;
    if (frame.items.size() == count) break;
    next.said = true;
    auto item = std::make_unique<wire::PublishItemT>();
    item->number = next.number;
    item->channel = publisher_desks()[static_cast<std::size_t>(number_)].channel;
    item->event.assign(next.publication->event.begin(), next.publication->event.end());
    item->on_reuse = next.publication->on_reuse;
    frame.items.push_back(std::move(item));
  }
  if (frame.items.empty()) return;
  said_last_us_ = now_us;
  say(std::move(frame));
}

void Publisher::on_frame(const wire::Frame& frame, Dice& dice) {
  const auto* published = frame.message_as_Published();
  if (published == nullptr || published->outcomes() == nullptr) return;
  for (const auto* outcome : *published->outcomes()) {
    const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const Item& item) { return item.number == outcome->number(); });
    if (found == waiting_.end()) continue;
    if (outcome->outcome() == wire::Outcome::failed) {
      found->said = false;
      again_us_ = clock_.steady_us() + dice.between(0, 500) * kMillisecondUs;
      continue;
    }
    waiting_.erase(found);
    if (outcome->outcome() == wire::Outcome::receipt)
      last_receipt_ = std::max(last_receipt_, outcome->sequence());
  }
}

Subscriber::Subscriber(const Interest& interest, Network& network, fakes::HandClock& clock,
                       const std::deque<Publication>& publications)
    : Session(interest.reader.agency, network, clock), interest_(interest), publications_(publications) {}

void Subscriber::on_lost() {
  falls_ = false;
  shown_.clear();
  answered_.clear();
  to_return_.clear();
  subscribed_ = false;
  rate_ = next_rate_;
}

void Subscriber::on_welcome(Dice& dice) {
  if (!former_.empty() && dice.one_in(3)) say_old(dice);
  wire::SubscribeT subscribe;
  subscribe.name = interest_.name;
  subscribe.role = interest_.reader.role;
  subscribe.credit = credit_;
  subscribe.rate_per_minute = rate_;
  subscribe.filter = std::make_unique<ledger::FilterT>(filter_of(interest_.wants[wants_]));
  say(std::move(subscribe));
  shown_.clear();
  to_return_.clear();
  subscribed_ = true;
  retry_us_ = clock_.steady_us() + kSayAgainUs;
}

void Subscriber::on_frame(const wire::Frame& frame, Dice&) {
  retry_us_ = clock_.steady_us() + kSayAgainUs;
  if (const auto* rejected = frame.message_as_Rejected()) {
    // Taken over by another connection: once more, in a while.
    if (text_of(rejected->subscription()) == interest_.name) resubscribe_ = true;
    return;
  }
  const auto* deliver = frame.message_as_Deliver();
  if (deliver == nullptr || deliver->deliveries() == nullptr) return;
  for (const auto* delivery : *deliver->deliveries()) {
    const auto* view = event::GetEvent(delivery->view()->data());
    shown_.push_back({delivery->sequence(), view->id()->str(), text_of(deliver->subscription())});
    if (mood_ == Mood::well && taste_of(shown_.back().id) == Taste::poison) falls_ = true;
  }
}

Taste Subscriber::taste_of(const std::string& id) {
  for (; tastes_known_ < publications_.size(); ++tastes_known_) {
    const Publication& each = publications_[tastes_known_];
    tastes_[each.id] = each.taste[interest_.number];
  }
  return tastes_[id];
}

void Subscriber::answer(std::size_t which, Dice& dice) {
  const Shown shown = shown_[which];
  shown_.erase(shown_.begin() + static_cast<std::ptrdiff_t>(which));
  ++to_return_[shown.stream];
  if (mood_ == Mood::silent) return;
  const Taste taste = taste_of(shown.id);
  const bool takes = mood_ == Mood::well && taste == Taste::good;
  if (answered_.size() == kRememberedMax) answered_.pop_front();
  answered_.push_back({shown, true, takes});
  if (takes) {
    taken_.insert({shown.stream, shown.sequence});
    wire::AckT ack;
    ack.subscription = shown.stream;
    ack.ranges = {ledger::Range(shown.sequence, shown.sequence)};
    return say(std::move(ack));
  }
  wire::NakT nak;
  nak.subscription = shown.stream;
  auto item = std::make_unique<wire::NakItemT>();
  item->sequence = shown.sequence;
  item->code = kReceiversCode;
  item->kind = mood_ == Mood::unavailable ? ledger::NakKind::unavailable : ledger::NakKind::failed;
  if (mood_ == Mood::well && taste == Taste::rejected) item->kind = ledger::NakKind::rejected;
  if (dice.one_in(4))
    item->retry_after_ms = static_cast<std::uint32_t>(dice.below(dice.one_in(3) ? 40'000 : 3'000));
  nak.items.push_back(std::move(item));
  say(std::move(nak));
}

void Subscriber::on_turn(Dice& dice) {
  if (falls_) return drop(dice);
  if (resubscribe_ && dice.one_in(8)) {
    resubscribe_ = false;
    on_welcome(dice);
  }
  if (!former_.empty() && dice.one_in(3)) say_old(dice);
  const std::size_t count = shown_.empty() ? 0 : dice.below(shown_.size() + 1);
  for (std::size_t each = 0; each < count; ++each) answer(dice.below(shown_.size()), dice);
  if (to_return_.empty() || !dice.one_in(2)) return;
  for (const auto& [stream, amount] : std::exchange(to_return_, {})) {
    wire::CreditT credit;
    credit.subscription = stream;
    credit.amount = amount;
    say(std::move(credit));
  }
}

void Subscriber::ack_all() {
  wire::AckT ack;
  ack.subscription = interest_.name;
  ack.ranges = {ledger::Range(1, 1'000'000)};
  say(std::move(ack));
}

void Subscriber::ask_for_everything() {
  for (int each = 0; each < 3; ++each) {
    wire::CreditT credit;
    credit.subscription = interest_.name;
    credit.amount = 0xFFFF'FFFFU;
    say(std::move(credit));
  }
}

void Subscriber::unsubscribe() {
  wire::UnsubscribeT leave;
  leave.name = interest_.name;
  say(std::move(leave));
  resubscribe_ = true;
}

}  // namespace carehub::simulation
