#pragma once

#include <string>
#include <vector>

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// The events of one child's records, newest first across them: each names the one before it in its record.
class RecordChains {
 public:
  /// `past` outlives it.
  explicit RecordChains(const PastReader& past) : past_(past) {}

  /// `after`: the event that comes next, as a page before has told; 0: the newest of all.
  Result<void> begin(const std::vector<PersonKey>& records, Sequence after);

  /// Looks at one entry. nullopt: it was none that is told.
  Result<std::optional<PastEvent>> step();
  bool over() const { return next() == 0; }
  /// The event that comes next, or is looked for; 0: there is none.
  Sequence next() const;
  /// Where a record ended though there was more, said once.
  std::string take_remark() { return std::exchange(remark_, {}); }

 private:
  struct Chain {
    PersonKey person;
    Sequence next = 0;
  };
  Chain* newest();

  const PastReader& past_;
  std::vector<Chain> chains_;
  Sequence from_ = 0;  // nothing that is newer is told
  std::string remark_;
};

}  // namespace carehub::care
