#include "broker/core/suspicion.hpp"

#include "broker/base/fault.hpp"

namespace carehub::core {

bool Suspicion::lost(bool alone, std::uint64_t acks) {
  const bool outage = !others_taken(acks) && kFault != Fault::blames_in_an_outage;
  const bool blamed = alone && losses_ >= kSuspectedFrom && !outage && kFault != Fault::blames_nobody;
  ++losses_;
  if (blamed) ++blames_;
  acks_at_fall_ = acks;
  return blamed;
}

bool Suspicion::unavailable(bool alone, std::uint64_t acks) {
  losses_ = 0;
  const bool outage = unavailable_ > 0 && !others_taken(acks) && kFault != Fault::blames_in_an_outage;
  if (outage) return false;
  const bool blamed = alone && unavailable_ >= kSuspectedFrom && kFault != Fault::blames_nobody;
  ++unavailable_;
  if (blamed) ++blames_;
  acks_at_fall_ = acks;
  return blamed;
}

}  // namespace carehub::core
