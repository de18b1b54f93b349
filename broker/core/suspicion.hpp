#pragma once

#include <cstdint>

namespace carehub::core {

/// Whether a delivery makes its receiver fall over before it can answer. It is suspected once two sessions in
/// a row were lost (ended without a Goodbye) while it was in flight; from then on it flies alone. What it is
/// blamed for counts as a failure: a loss with nothing else in flight, after the receiver has taken another
/// child's delivery since the loss before, so that it is no outage.
class Suspicion {
 public:
  bool suspected() const { return losses_ >= kSuspectedFrom; }
  /// Sessions in a row that were lost with it in flight.
  std::uint32_t losses() const { return losses_; }
  /// How often it was to blame.
  std::uint32_t blames() const { return blames_; }
  /// The receiver has taken something since its last loss; `acks`: of the subscription so far.
  bool others_taken(std::uint64_t acks) const { return acks > acks_at_loss_; }

  /// Its session is lost; true: it is to blame. `alone`: nothing else can have been the cause.
  bool lost(bool alone, std::uint64_t acks);
  /// It was answered.
  void clear() { *this = Suspicion(); }

 private:
  static constexpr std::uint32_t kSuspectedFrom = 2;
  std::uint32_t losses_ = 0;
  std::uint32_t blames_ = 0;
  std::uint64_t acks_at_loss_ = 0;
};

}  // namespace carehub::core
