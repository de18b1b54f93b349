#pragma once

#include <optional>

#include "broker/care/entry_finder.hpp"
#include "broker/care/linked_records.hpp"
#include "broker/care/past_search.hpp"
#include "broker/care/record_chains.hpp"

namespace carehub::care {

/// One child's events, newest first, each as the asker's role may see it and with what became of it. To an
/// operator it tells of all records that are this child; to an agency, of the one that it asked about. A
/// row's `state` is a Filing: under which record the event is filed and, where the operator's question has
/// `kNamesEntries` as its `path`, the entries that say what became of it. To find these takes some dozen
/// reads of the ledger each.
class Timeline final : public PastSearch {
 public:
  static constexpr const char* kNamesEntries = "entries";

  /// `past` outlives it.
  Timeline(const PastReader& past, core::Ask ask)
      : past_(past), ask_(std::move(ask)), chains_(past), finder_(past) {}

  Result<bool> advance() override;
  wire::PageT take() override;

 private:
  Result<void> begin();
  Result<bool> add(const PastEvent& event);
  void goes_on(Sequence from);
  void add_text(const std::string& text);

  const PastReader& past_;
  core::Ask ask_;
  RecordChains chains_;
  EntryFinder finder_;
  bool begun_ = false;
  std::optional<LinkedRecords> records_;
  std::vector<core::Subscription> visible_;
  std::size_t bytes_ = 0;
  wire::PageT page_;
};

}  // namespace carehub::care
