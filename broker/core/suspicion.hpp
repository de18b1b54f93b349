#pragma once

#include <algorithm>
#include <cstdint>

namespace carehub::core {

/// How the receiver of a subscription has fared so far.
struct ReceiverCourse {
  std::uint64_t acks = 0;
  std::uint64_t falls = 0;  // answers `unavailable` over deliveries that were not suspected
  std::uint64_t turns = 0;  // of these, such as came right after an ack
  bool taking = false;      // the newest answer was an ack

  void acked() {
    ++acks;
    taking = true;
  }
  void fell(bool over_suspected) {
    falls += over_suspected ? 0 : 1;
    turns += taking && !over_suspected ? 1 : 0;
    taking = false;
  }
};

/// Whether a delivery makes its receiver fall over: the client itself, whose session is lost before it can
/// answer, or what is behind that, which it then calls unavailable. It is suspected once that has happened
/// twice in a row; from then on it flies alone. What it is blamed for counts as a failure: a fall with
/// nothing else in flight, after the receiver has taken another child's delivery since the fall before, so
/// that it is no outage; and, where it was called unavailable, unless others were as well and it is merely
/// flaky.
class Suspicion {
 public:
  bool suspected() const { return falls() >= kSuspectedFrom; }
  /// Falls in a row: sessions that were lost with it in flight, or answers `unavailable` (of these, such with
  /// something else taken in between); of both the more.
  std::uint32_t falls() const { return std::max(losses_, unavailable_); }
  /// How often it was to blame.
  std::uint32_t blames() const { return blames_; }
  /// The receiver has taken something since its last fall; `acks`: of the subscription so far.
  bool others_taken(std::uint64_t acks) const { return acks > acks_at_fall_; }

  /// Its session is lost; true: it is to blame. `alone`: nothing else can have been the cause.
  bool lost(bool alone, const ReceiverCourse& receiver);
  /// It was answered `unavailable`; likewise. As long as nothing else is taken that is one outage.
  bool unavailable(bool alone, const ReceiverCourse& receiver);
  /// It was answered otherwise.
  void clear() { *this = Suspicion(); }

 private:
  static constexpr std::uint32_t kSuspectedFrom = 2;
  bool fallen(std::uint32_t& falls, bool alone, bool outage, const ReceiverCourse& receiver);
  bool flaky(const ReceiverCourse& receiver) const;
  std::uint32_t losses_ = 0;
  std::uint32_t unavailable_ = 0;
  std::uint32_t blames_ = 0;
  std::uint64_t acks_at_fall_ = 0;
  ReceiverCourse at_suspicion_;  // when it became suspected
};

}  // namespace carehub::core
