#include "broker/care/timeline.hpp"

#include "broker/care/event_rows.hpp"
#include "broker/care/filing.hpp"

namespace carehub::care {

Result<void> Timeline::begin() {
  begun_ = true;
  auto person = past_.person_of(ask_.query.person);
  // Whom the hub knows is not for every agency to find out.
  if (!person && person.error().kind == ErrorKind::not_found && !ask_.peer.is_operator) return {};
  if (!person) {
    auto erased = past_.erased_row(ask_.query.person);
    if (!erased) return tl::unexpected(erased.error());
    if (!*erased) return tl::unexpected(person.error());
    page_.rows.push_back(std::move(*erased));
    return {};
  }
  auto subscribed = past_.visible(ask_.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  visible_ = std::move(*subscribed);
  records_.emplace(past_, *person);
  if (ask_.peer.is_operator) {
    if (auto found = records_->find(); !found) return found;
  }
  return chains_.begin(records_->people(), ask_.query.after);
}

Result<bool> Timeline::advance() {
  if (!begun_) {
    if (auto begun = begin(); !begun) return tl::unexpected(begun.error());
  }
  for (std::size_t looked = 0; looked < kScanEntries; looked += 1 + finder_.take_looked()) {
    if (chains_.over()) return true;
    if (page_.rows.size() >= rows_wanted(ask_.query)) {
      goes_on(chains_.next());
      return true;
    }
    auto event = chains_.step();
    if (!event) return tl::unexpected(event.error());
    if (!*event) continue;
    if ((*event)->appended_at.us < ask_.query.first_at) return true;
    records_->take(**event);
    auto done = add(**event);
    if (!done || *done) return done;
  }
  return false;
}

/// True: the page is full without it.
Result<bool> Timeline::add(const PastEvent& event) {
  if (!fits(ask_.query, event)) return false;
  auto row = event_row(past_, event, visible_, ask_);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return false;
  bytes_ += (*row)->view.size();
  if (bytes_ > kPageBytes && !page_.rows.empty()) {
    goes_on(event.sequence);
    return true;
  }
  const auto record = records_->number_of(event.person);
  (*row)->state = to_text(Filing{record});
  page_.rows.push_back(std::move(*row));
  const bool names_entries = ask_.peer.is_operator && ask_.query.path == kNamesEntries;
  auto shown =
      shown_rows(past_, event, visible_, ask_.peer.is_operator, record, names_entries ? &finder_ : nullptr);
  if (!shown) return tl::unexpected(shown.error());
  for (auto& one : *shown) page_.rows.push_back(std::move(one));
  return false;
}

void Timeline::goes_on(Sequence from) {
  page_.more = true;
  page_.next_after = from;
}

void Timeline::add_text(const std::string& text) {
  if (text.empty()) return;
  page_.text += (page_.text.empty() ? "" : "; ") + text;
}

wire::PageT Timeline::take() {
  if (ask_.peer.is_operator || !page_.rows.empty()) add_text(chains_.take_remark());
  if (records_ && ask_.peer.is_operator) records_->add_remark(page_.text);
  return std::move(page_);
}

}  // namespace carehub::care
