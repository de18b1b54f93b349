#include "tests/simulation/visitors.hpp"

#include "tests/fakes/engine_harness.hpp"

namespace carehub::simulation {
namespace {

constexpr const char* kWatch = "watch";
constexpr std::uint32_t kWatchCredit = 20;

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

}  // namespace

void Rogue::misbehave(Dice& dice) {
  const Interest& other = interests()[dice.below(kPriory)];
  switch (dice.below(6)) {
    case 0: return speak_in_others_names(other, dice);
    case 1: return command(other, dice);
    case 2: return babble(dice);
    default: return answer_for(other, dice);
  }
}

/// What others were shown.
void Rogue::answer_for(const Interest& other, Dice& dice) {
  switch (dice.below(5)) {
    case 0:
    case 1: {
      wire::AckT ack;
      ack.subscription = other.name;
      ack.ranges = {ledger::Range(1, 1'000'000)};
      return say(std::move(ack));
    }
    case 2: {
      wire::CreditT credit;
      credit.subscription = other.name;
      credit.amount = 0xFFFF'FFFFU;
      return say(std::move(credit));
    }
    case 3: {
      wire::UnsubscribeT leave;
      leave.name = other.name;
      return say(std::move(leave));
    }
    default: {
      wire::NakT nak;
      nak.subscription = other.name;
      for (Sequence sequence = 1; sequence < 60; ++sequence) {
        auto item = std::make_unique<wire::NakItemT>();
        item->sequence = sequence;
        item->kind = ledger::NakKind::rejected;
        nak.items.push_back(std::move(item));
      }
      return say(std::move(nak));
    }
  }
}

void Rogue::speak_in_others_names(const Interest& other, Dice& dice) {
  switch (dice.below(3)) {
    case 0: {
      wire::SubscribeT subscribe;
      const bool others = dice.one_in(2);
      subscribe.name = others ? other.name : "mine";
      subscribe.role = others ? other.reader.role : kDuty.role;
      subscribe.credit = 100;
      subscribe.durable = !dice.one_in(3);
      return say(std::move(subscribe));
    }
    case 1: {  // a receipt that it does not have, or a Hello again
      wire::HelloT hello;
      hello.client = "rogue";
      hello.agency = dice.one_in(2) ? "northmarch-council" : "";
      hello.last_receipt = ~std::uint64_t{0};
      return say(std::move(hello));
    }
    default: {  // through another's channel
      Draft draft;
      draft.id = "rogue";
      const Publication publication = write_publication(draft);
      wire::PublishT frame;
      auto item = std::make_unique<wire::PublishItemT>();
      item->number = 1;
      item->channel = dice.one_in(2) ? "elwick-adt" : "";
      item->event.assign(publication.event.begin(), publication.event.end());
      frame.items.push_back(std::move(item));
      return say(std::move(frame));
    }
  }
}

/// As if it were an operator.
void Rogue::command(const Interest& other, Dice& dice) {
  switch (dice.below(4)) {
    case 3: {
      wire::EraseT erase;
      erase.number = ++last_number_;
      erase.person = "nhs:" + fakes::test_nhs_number(1);
      erase.by = "operator";
      erase.reason = "rogue";
      return say(std::move(erase));
    }
    case 0: {
      wire::HandleSubscriptionT handle;
      handle.number = 1;
      handle.action = static_cast<wire::SubscriptionAction>(1 + dice.below(4));
      handle.position = wire::Position::now;
      handle.subscription = other.name;
      handle.by = "operator";
      handle.reason = "rogue";
      return say(std::move(handle));
    }
    case 1: {
      wire::HandleDeadLetterT handle;
      handle.number = 1;
      handle.action = wire::DeadLetterAction::discard;
      handle.subscription = other.name;
      handle.sequence = 1 + dice.below(200);
      handle.by = "operator";
      handle.reason = "rogue";
      return say(std::move(handle));
    }
    default: {
      wire::ReplayT replay;
      replay.number = ++last_number_;
      replay.role = dice.one_in(2) ? kAuditor.role : other.reader.role;
      if (dice.one_in(2)) replay.into = other.name;
      replay.reason = "rogue";
      return say(std::move(replay));
    }
  }
}

/// What is no frame, half of one, of another version, or what only a hub says.
void Rogue::babble(Dice& dice) {
  wire::PageT page;
  page.text = "a hub's answer to a question that nobody has asked";
  Bytes bytes = frame_bytes(std::move(page));
  switch (dice.below(4)) {
    case 0:
      bytes.resize(8 + dice.below(200));
      for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dice.below(256));
      break;
    case 1: bytes.resize(dice.below(bytes.size())); break;
    case 2: bytes[dice.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << dice.below(8)); break;
    default: break;
  }
  say_bytes(std::move(bytes));
}

void Operator::handle(const Interest& interest, Sequence sequence, bool again) {
  wire::HandleDeadLetterT handle;
  handle.number = ++last_number_;
  handle.action = again ? wire::DeadLetterAction::send_again : wire::DeadLetterAction::discard;
  handle.subscription = interest.name;
  handle.sequence = sequence;
  handle.by = "operator";
  handle.reason = "simulated";
  say(std::move(handle));
}

void Operator::mend(const Interest& interest, Sequence sequence, const Bytes& event) {
  wire::HandleDeadLetterT handle;
  handle.number = ++last_number_;
  handle.action = wire::DeadLetterAction::mend;
  handle.subscription = interest.name;
  handle.sequence = sequence;
  handle.by = "operator";
  handle.reason = "simulated";
  handle.event.assign(event.begin(), event.end());
  say(std::move(handle));
}

void Operator::handle(const Interest& interest, wire::SubscriptionAction action, wire::Position position,
                      Sequence sequence, std::int64_t at) {
  wire::HandleSubscriptionT handle;
  handle.number = ++last_number_;
  handle.action = action;
  handle.subscription = interest.name;
  handle.position = position;
  handle.sequence = sequence;
  handle.at = at;
  handle.by = "operator";
  handle.reason = "wish " + std::to_string(last_number_);
  say(std::move(handle));
}

void Operator::replay_into(const Interest& interest, Sequence head, std::int64_t now_us, Dice& dice) {
  wire::ReplayT replay;
  replay.number = ++last_number_;
  replay.into = interest.name;
  replay.first = dice.one_in(3) ? 0 : dice.below(head + 2);
  replay.last = dice.one_in(2) ? 0 : replay.first + dice.below(head + 2);
  if (dice.one_in(4)) replay.first_at = now_us - dice.between(-5, 60) * kSecondUs;
  if (dice.one_in(4)) replay.person = "nhs:" + fakes::test_nhs_number(1 + dice.number_below(kChildren));
  Wants wants;
  if (dice.one_in(3)) wants.types = {event::EventType::admission, event::EventType::referral};
  if (dice.one_in(4)) wants.tiers = {4};
  replay.filter = std::make_unique<ledger::FilterT>(filter_of(wants));
  replay.rate_per_minute = std::array<std::uint32_t, 3>{0, 90, 6'000}[dice.below(3)];
  replay.by = "operator";
  replay.reason = "replay " + std::to_string(last_number_);
  say(std::move(replay));
}

void Operator::erase(std::string person, bool preview) {
  wire::EraseT erase;
  erase.number = ++last_number_;
  erase.person = std::move(person);
  erase.preview = preview;
  erase.by = "operator";
  erase.reason = "erasure " + std::to_string(last_number_);
  say(std::move(erase));
}

void Watcher::watch(bool wanted) {
  if (wanted_ && !wanted && subscribed_ && welcomed()) {
    wire::UnsubscribeT leave;
    leave.name = kWatch;
    say(std::move(leave));
  }
  wanted_ = wanted;
  subscribed_ = subscribed_ && wanted;
}

void Watcher::on_turn(Dice&) {
  if (wanted_ && !subscribed_) {
    wire::SubscribeT subscribe;
    subscribe.name = kWatch;
    subscribe.role = reader_.role;
    subscribe.durable = false;
    subscribe.credit = kWatchCredit;
    say(std::move(subscribe));
    subscribed_ = true;
    to_return_ = 0;
  }
  if (!subscribed_ || to_return_ == 0) return;
  wire::CreditT credit;
  credit.subscription = kWatch;
  credit.amount = std::exchange(to_return_, 0);
  say(std::move(credit));
}

void Watcher::on_frame(const wire::Frame& frame, Dice& dice) {
  if (const auto* rejected = frame.message_as_Rejected()) {
    if (text_of(rejected->subscription()) == kWatch) subscribed_ = false;
    return;
  }
  const auto* deliver = frame.message_as_Deliver();
  if (deliver == nullptr || deliver->deliveries() == nullptr) return;
  for (const auto* delivery : *deliver->deliveries()) {
    ++to_return_;
    if (dice.one_in(3)) {
      wire::NakT nak;
      nak.subscription = kWatch;
      auto item = std::make_unique<wire::NakItemT>();
      item->sequence = delivery->sequence();
      item->kind = ledger::NakKind::failed;
      nak.items.push_back(std::move(item));
      say(std::move(nak));
    } else {
      wire::AckT ack;
      ack.subscription = kWatch;
      ack.ranges = {ledger::Range(delivery->sequence(), delivery->sequence())};
      say(std::move(ack));
    }
  }
}

void Watcher::replay(Sequence head, Dice& dice) {
  if (!welcomed()) return;
  wire::ReplayT replay;
  replay.number = ++last_number_;
  replay.role = reader_.role;
  replay.first = dice.one_in(3) ? 0 : dice.below(head + 2);
  replay.last = dice.one_in(3) ? 0 : replay.first + dice.below(head + 2);
  if (dice.one_in(3)) replay.person = "nhs:" + fakes::test_nhs_number(1 + dice.number_below(kChildren));
  replay.preview = dice.one_in(4);
  Wants wants;
  if (dice.one_in(3)) wants.types = {event::EventType::admission, event::EventType::referral};
  if (dice.one_in(4)) wants.tiers = {4};
  if (dice.one_in(4)) wants.schools = {"900101"};
  replay.filter = std::make_unique<ledger::FilterT>(filter_of(wants));
  replay.by = "somebody";
  replay.reason = agency() + " replays " + std::to_string(replay.number);
  say(std::move(replay));
}

}  // namespace carehub::simulation
