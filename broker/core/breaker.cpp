#include "broker/core/breaker.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"

namespace carehub::core {

std::int64_t backoff_us(const RetryRules& rules, std::uint32_t failures, Random& random) {
  constexpr std::uint32_t kDoublingsMax = 20;
  const auto doublings = std::min(failures == 0 ? 0 : failures - 1, kDoublingsMax);
  const auto ceiling = std::max<std::int64_t>(rules.backoff_max_ms, 1) * kMillisecondUs;
  const auto whole =
      std::min((std::max<std::int64_t>(rules.backoff_first_ms, 1) * kMillisecondUs) << doublings, ceiling);
  std::array<std::uint8_t, 8> drawn{};
  random.fill(drawn);
  std::uint64_t value = 0;
  std::memcpy(&value, drawn.data(), sizeof value);
  const auto half = whole / 2;
  return half + static_cast<std::int64_t>(value % static_cast<std::uint64_t>(whole - half + 1));
}

Breaker::Gate Breaker::gate(Timestamp now) const {
  if (state_ == State::closed) return Gate::open;
  if (state_ == State::open && now >= until_) return Gate::probe;
  return Gate::shut;
}

void Breaker::probing() { state_ = State::half_open; }

void Breaker::succeeded(Timestamp now) {
  failing_.reset();
  if (state_ == State::closed) return;
  opened_ = 0;
  open_since_.reset();
  if (asked_until_ > now) {
    state_ = State::open;
    until_ = asked_until_;
    return;
  }
  state_ = State::closed;
}

bool Breaker::failed(const PersonKey& person, Timestamp now) {
  if (state_ == State::open) return true;
  const bool others = failing_ && *failing_ != person;
  failing_ = person;
  if (state_ == State::closed && !others) return false;
  open(backoff_us(rules_, ++opened_, random_), now);
  return true;
}

void Breaker::unavailable(std::uint32_t retry_after_ms, Timestamp now) {
  if (retry_after_ms > 0 && kFault != Fault::forgets_what_a_receiver_asked) {
    const auto wait = std::int64_t{std::min(retry_after_ms, kRetryAfterMaxMs)} * kMillisecondUs;
    asked_until_ = std::max(asked_until_, Timestamp{now.us + wait});
  }
  // Answers of deliveries that left before it opened say nothing new.
  if (state_ != State::open) open(backoff_us(rules_, ++opened_, random_), now);
  until_ = std::max(until_, asked_until_);
}

void Breaker::disconnected(Timestamp now) {
  if (state_ != State::half_open) return;
  state_ = State::open;
  until_ = now;
}

void Breaker::open(std::int64_t wait_us, Timestamp now) {
  state_ = State::open;
  ++openings_;
  until_ = std::max(Timestamp{now.us + wait_us}, asked_until_);
  if (!open_since_) open_since_ = now;
}

}  // namespace carehub::core
