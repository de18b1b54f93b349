#include "broker/core/suspicion.hpp"

#include "broker/base/fault.hpp"

namespace carehub::core {

bool Suspicion::lost(bool alone, const ReceiverCourse& receiver) {
  return fallen(losses_, alone, !others_taken(receiver.acks), receiver);
}

bool Suspicion::unavailable(bool alone, const ReceiverCourse& receiver) {
  losses_ = 0;
  const bool outage = unavailable_ > 0 && !others_taken(receiver.acks);
  if (outage && kFault != Fault::blames_in_an_outage) return false;
  return fallen(unavailable_, alone && !flaky(receiver), outage, receiver);
}

bool Suspicion::fallen(std::uint32_t& falls, bool alone, bool outage, const ReceiverCourse& receiver) {
  const bool spared = outage && kFault != Fault::blames_in_an_outage;
  const bool blamed = alone && falls >= kSuspectedFrom && !spared && kFault != Fault::blames_nobody;
  if (!suspected() && falls + 1 == kSuspectedFrom) at_suspicion_ = receiver;
  ++falls;
  if (blamed) ++blames_;
  acks_at_fall_ = receiver.acks;
  return blamed;
}

/// One in four, or more, of the others that could have been taken made it fall over instead: those that were
/// next after an ack. What was next after an ack and fell was sometimes the suspected delivery itself.
bool Suspicion::flaky(const ReceiverCourse& receiver) const {
  if (!suspected() || receiver.falls == at_suspicion_.falls) return false;
  const auto own = std::uint64_t{falls() - kSuspectedFrom};
  const auto acks = receiver.acks - at_suspicion_.acks;
  const auto others = acks > own ? acks - own : 0;
  return 4 * (receiver.turns - at_suspicion_.turns + 1) >= others + 2;
}

}  // namespace carehub::core
