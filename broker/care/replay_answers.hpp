#pragma once

#include "broker/care/read_ahead.hpp"
#include "broker/core/engine.hpp"

namespace carehub::care {

/// A part of a replay. `next` is where to go on.
struct ReplayPart {
  wire::ReplayedT frame;
  Sequence next = 0;
};

/// History again, in parts, each event as the asker's role may see it today; or, as a preview, only counted.
class ReplayAnswers {
 public:
  explicit ReplayAnswers(const PastReader& past) : past_(past) {}

  /// The part that begins with entry `from`. Errors become the frame's error and text. Where `ahead` holds
  /// that entry, nothing is read, and the part ends with it at the latest.
  ReplayPart answer(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                    const ReadAhead* ahead = nullptr) const;

 private:
  using DeliveryPtr = std::unique_ptr<wire::DeliveryT>;

  Result<bool> asked_for(const core::AskReplay& ask, const PastEvent& past) const;
  Result<std::optional<PastEvent>> event_of(const ReadAhead::Entry& entry) const;
  template <class Look>
  Result<void> each_entry(const ReadAhead* ahead, std::size_t entries_max, Sequence last, ReplayPart& part,
                          Look look) const;
  template <class Take>
  Result<void> each_of_part(const core::AskReplay& ask, Sequence from, std::size_t entries_max,
                            const ReadAhead* ahead, ReplayPart& part, Take take) const;
  Result<void> replay_some(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                           const ReadAhead* ahead, ReplayPart& part) const;
  Result<void> preview_some(const core::AskReplay& ask, Sequence from, ReplayPart& part) const;
  Result<DeliveryPtr> replay_one(const core::AskReplay& ask, const PastEvent& past,
                                 wire::ReplayedT& frame) const;

  const PastReader& past_;
};

}  // namespace carehub::care
