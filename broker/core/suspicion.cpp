#include "broker/core/suspicion.hpp"

#include "broker/base/fault.hpp"

namespace carehub::core {

bool Suspicion::lost(bool alone, std::uint64_t acks) {
  const bool outage = !others_taken(acks) && kFault != Fault::blames_in_an_outage;
  const bool blamed = alone && suspected() && !outage && kFault != Fault::blames_nobody;
  ++losses_;
  if (blamed) ++blames_;
  acks_at_loss_ = acks;
  return blamed;
}

}  // namespace carehub::core
