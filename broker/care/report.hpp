#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/care/past_reader.hpp"
#include "broker/care/past_search.hpp"
#include "broker/care/report_tally.hpp"

namespace carehub::care {

/// The figures of one quarter of UTC, by when the hub received what they count: a fold over the quarter's
/// entries alone, so that they are the same to the digit whenever they are made from the same ledger. Where
/// a report of this quarter and definition is on record already it is compared with it, figure by figure, and
/// the erasures since are looked for. The page: a row `report`, then `figure` rows, `difference` rows with
/// what the figure was, and `erasure` rows.
class Report final : public PastSearch {
 public:
  /// `past` outlives it. `query`: `first_at` is the quarter's first microsecond, `size` the definition, `at`
  /// when it was asked.
  Report(const PastReader& past, wire::QueryT query);

  Result<bool> advance() override;
  wire::PageT take() override { return std::move(page_); }

  static constexpr std::size_t kLooksOfPart = 256;  // entries that are opened for one part
  static constexpr std::size_t kErasuresNamedMax = 64;

 private:
  Result<void> begin();
  Result<bool> count();
  Result<void> take(const storage::SealedEntry& sealed);
  Result<void> take_event(const storage::SealedEntry& sealed);
  Result<void> take_paths(const PastEvent& past);
  void take_lag(const PastEvent& past);
  void take_wait(const char* group, const std::string& agency, std::optional<std::uint64_t> days);
  void take_body(const ledger::Body& body);
  void take_question(const ledger::Access& access);
  void take_refusal(const ledger::Refusal& refusal);
  void take_offered(const ledger::Offered& offered);
  void take_action(const ledger::OperatorAction& action);
  Result<void> end_count();
  void add_spreads();
  Result<void> compare();
  Result<bool> look_for_erasures();
  void add_row(const char* kind, const core::Figure& figure);

  const PastReader& past_;
  wire::QueryT query_;
  core::ReportDefinition definition_;
  core::Quarter quarter_;
  enum class Phase : std::uint8_t { begins, counts, erasures } phase_ = Phase::begins;
  Sequence next_ = 0;
  Sequence through_ = 0;  // the ledger's end when it began
  std::size_t looked_ = 0;
  ReportTally tally_;
  /// By group and agency.
  std::map<std::pair<std::string, std::string>, Spread> spreads_;
  std::vector<core::Figure> figures_;
  wire::PageT page_;
};

/// Where the entry of a report is; 0: none was made.
Result<Sequence> report_row(const RowReads& rows, const std::string& name);
void fold_report(Sequence sequence, const ledger::Report& report, Rows& rows);

}  // namespace carehub::care
