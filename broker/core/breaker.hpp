#pragma once

#include <optional>

#include "broker/base/clock.hpp"
#include "broker/base/ids.hpp"
#include "broker/base/random.hpp"
#include "broker/core/rules.hpp"

namespace carehub::core {

/// Longest wait that a receiver may ask for.
constexpr std::uint32_t kRetryAfterMaxMs = 3'600'000;

/// Exponential backoff with jitter: half of it is fixed, half is drawn. `failures` counts from 1.
std::int64_t backoff_us(const RetryRules& rules, std::uint32_t failures, Random& random);

/// Tells a receiver that is unavailable from one that dislikes a single event. Closed: deliveries flow. Open:
/// nothing leaves until a time. Half open: one probe is out, and its answer decides.
class Breaker {
 public:
  Breaker(const RetryRules& rules, Random& random) : rules_(rules), random_(random) {}

  /// How many deliveries may leave now: none, one (a probe) or as many as there are.
  enum class Gate : std::uint8_t { shut, probe, open };
  Gate gate(Timestamp now) const;

  /// A probe has left.
  void probing();
  /// The receiver took something: all is well, except that a wait it asked for is kept.
  void succeeded(Timestamp now);
  /// One event failed. True: this showed that the receiver is unavailable (failures of two children in a row,
  /// or of the probe), and the failure says nothing about the event.
  bool failed(const PersonKey& person, Timestamp now);
  /// The receiver said that it is unavailable, or did not answer.
  void unavailable(std::uint32_t retry_after_ms, Timestamp now);
  /// The connection is gone and the probe with it.
  void disconnected(Timestamp now);

  bool closed() const { return state_ == State::closed; }
  /// Open, and no probe is out.
  bool waits() const { return state_ == State::open; }
  /// When the next probe may leave; meaningful while waits().
  Timestamp probe_at() const { return until_; }
  /// How often it has opened so far: a failure next to an opening may be the receiver's.
  std::uint64_t openings() const { return openings_; }
  /// Since when the receiver has been unavailable; nullopt while closed.
  std::optional<Timestamp> open_since() const { return open_since_; }

 private:
  enum class State : std::uint8_t { closed, open, half_open };
  void open(std::int64_t wait_us, Timestamp now);

  RetryRules rules_;
  Random& random_;
  State state_ = State::closed;
  Timestamp until_;
  Timestamp asked_until_;  // the receiver's own Retry-After
  std::optional<Timestamp> open_since_;
  std::optional<PersonKey> failing_;
  std::uint32_t opened_ = 0;    // times in a row
  std::uint64_t openings_ = 0;  // in all
};

}  // namespace carehub::core
