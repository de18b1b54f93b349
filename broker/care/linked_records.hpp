#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/care/past_reader.hpp"

namespace carehub::care {

/// What a child's own events say of other records that are the same child, or may be. An answer is about one
/// record; whoever asks has to be told that there is more, or half of what was known would look like all.
class LinkedRecords {
 public:
  /// `past` outlives it.
  LinkedRecords(const PastReader& past, PersonKey person) : past_(past), person_(person) {}

  /// One of the child's events, in whatever order.
  Result<void> take(const PastEvent& event);
  /// Entries to look at and to ask by; no number or name of anybody.
  void add_remark(std::string& text) const;

  static constexpr std::size_t kNamedMax = 8;  // of each kind

 private:
  struct Said {
    Sequence in = 0;      // the newest link or merge that names the record
    bool same = false;    // else it was taken back
    Sequence newest = 0;  // entry of the record
  };
  const PastReader& past_;
  PersonKey person_;
  std::map<PersonKey, Said> others_;
  std::vector<Sequence> conflicts_;
};

}  // namespace carehub::care
