#include "broker/care/explained.hpp"

#include <optional>

#include "broker/care/event_rows.hpp"
#include "broker/core/explanation.hpp"

namespace carehub::care {
namespace {

using Rows = std::vector<std::unique_ptr<wire::RowT>>;

constexpr const char* kNobody = "no agency holds the role: an operator who asks in it";

std::unique_ptr<wire::RowT> row_of(const char* kind, const std::string& agency) {
  auto row = std::make_unique<wire::RowT>();
  row->kind = kind;
  row->agency = agency;
  return row;
}

/// Rows as far as the page has room for them. `after` is the agency's place in its upper half and the rows of
/// it that came before in its lower one, so that nothing is judged again for a later page.
class PageOfRows {
 public:
  PageOfRows(std::uint64_t after, std::size_t rows_max)
      : first_(after >> kPlaceBits), skipped_(after & kRowsMask), rows_max_(rows_max) {}

  std::uint64_t first() const { return first_; }
  void begin(std::uint64_t place) {
    place_ = place;
    at_ = 0;
  }
  template <class Fill>
  void add(const char* kind, const std::string& agency, Fill fill) {
    ++at_;
    if (page_.more || (place_ == first_ && at_ <= skipped_)) return;
    if (page_.rows.size() >= rows_max_) {
      page_.more = true;
      return;
    }
    auto row = row_of(kind, agency);
    fill(*row);
    page_.rows.push_back(std::move(row));
    page_.next_after = (place_ << kPlaceBits) | at_;
  }
  bool full() const { return page_.more; }
  wire::PageT take() { return std::move(page_); }

 private:
  static constexpr unsigned kPlaceBits = 32;
  static constexpr std::uint64_t kRowsMask = (1ULL << kPlaceBits) - 1;

  std::uint64_t first_;
  std::uint64_t skipped_;
  std::size_t rows_max_;
  std::uint64_t place_ = 0;
  std::uint64_t at_ = 0;
  wire::PageT page_;
};

void add_rows(const core::Explanation& explanation, const core::Policy& policy, const PastEvent& event,
              const core::Agency& agency, const std::string& role, PageOfRows& page) {
  page.add("agency", agency.id, [&](wire::RowT& row) {
    row.sequence = event.sequence;
    row.appended_at = event.appended_at.us;
    row.type = event.event->type();
    row.role = role;
    row.policy_version = policy.version();
    row.state = explanation.rule == nullptr ? "withheld" : "shown";
    if (agency.id.empty()) row.text = kNobody;
    if (explanation.rule == nullptr) return;
    row.rule = explanation.rule->name;
    row.legal_basis = explanation.rule->legal_basis;
  });
  for (const auto& each : explanation.rules) {
    page.add("rule", agency.id, [&](wire::RowT& row) {
      row.rule = each.rule->name;
      row.legal_basis = each.rule->legal_basis;
      row.state = each.rule == explanation.rule ? "decides" : "does not";
      row.reason = each.why;
    });
  }
  for (const auto& field : explanation.fields) {
    page.add("field", agency.id, [&](wire::RowT& row) {
      row.path = field.path;
      row.state = core::word_of(field.seen);
      row.reason = field.why;
    });
  }
}

}  // namespace

Result<wire::PageT> explained(const PastReader& past, const wire::QueryT& query, Timestamp at) {
  auto event = past.event_at(query.sequence);
  if (!event) return tl::unexpected(event.error());
  if (!*event) {
    return fail(ErrorKind::not_found,
                "entry " + std::to_string(query.sequence) + " is no event, or it has been erased");
  }
  std::optional<core::Policy> other;
  if (!query.policy.empty()) {
    auto parsed = core::Disclosure::parse_policy(query.policy, "the policy of the question", 0);
    if (!parsed) return tl::unexpected(parsed.error());
    other = std::move(*parsed);
  }
  const auto& policy = other ? *other : past.policy();
  if (!policy.has_role(query.role)) return fail(ErrorKind::not_found, "the policy has no such role");
  auto agencies = past.agencies_with(query.role);
  if (!query.agency.empty()) {
    if (!past.knows_agency(query.agency))
      return fail(ErrorKind::not_found, "the hub's configuration has no such agency");
    agencies = {&past.agency_of(query.agency)};
  }
  static const core::Agency nobody;
  if (agencies.empty()) agencies = {&nobody};
  const auto known = past.known_child(**event, at);
  if (!known) return tl::unexpected(known.error());
  PageOfRows page(query.after, rows_wanted(query));
  for (auto place = page.first(); place < agencies.size() && !page.full(); ++place) {
    const auto& agency = *agencies[place];
    page.begin(place);
    add_rows(core::explain(policy, query.role, agency, *(*event)->event, *known, at), policy, **event, agency,
             query.role, page);
  }
  return page.take();
}

}  // namespace carehub::care
