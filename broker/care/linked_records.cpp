#include "broker/care/linked_records.hpp"

#include <algorithm>

#include "broker/care/people_fold.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/identity.hpp"

namespace carehub::care {
namespace {

void add_part(std::string& text, const std::string& more) { text += (text.empty() ? "" : "; ") + more; }

}  // namespace

Result<void> LinkedRecords::take(const PastEvent& event) {
  if (std::ranges::find(event.marks, ledger::Mark::identity_conflict) != event.marks.end())
    conflicts_.push_back(event.sequence);
  if (event.event->identity_link() == nullptr && event.event->identity_merge() == nullptr) return {};
  for (const auto& name : core::linked_identifier_texts(*event.event)) {
    auto other = person_linked(past_.rows(), core::identifier_hash(past_.index_key(), name));
    if (!other) return tl::unexpected(other.error());
    if (!*other || **other == person_) continue;
    auto& said = others_[**other];
    if (said.in >= event.sequence) continue;
    auto record = person_record(past_.rows(), **other);
    if (!record) return tl::unexpected(record.error());
    said = {event.sequence, !core::takes_back_a_link(*event.event), *record ? (*record)->last : 0};
  }
  return {};
}

void LinkedRecords::add_remark(std::string& text) const {
  std::size_t named = 0;
  for (const auto& [person, said] : others_) {
    if (!said.same || said.newest == 0 || ++named > kNamedMax) continue;
    add_part(text, "entry " + std::to_string(said.in) +
                       " says that another record is this child, too: ask about sequence:" +
                       std::to_string(said.newest) + " as well");
  }
  if (named > kNamedMax)
    add_part(text, std::to_string(named - kNamedMax) + " more records are this child, too");
  if (conflicts_.empty()) return;
  std::string entries;
  for (std::size_t i = 0; i < std::min(conflicts_.size(), kNamedMax); ++i)
    entries += (i == 0 ? "" : ", ") + std::to_string(conflicts_[i]);
  if (conflicts_.size() > kNamedMax)
    entries += " and " + std::to_string(conflicts_.size() - kNamedMax) + " more";
  add_part(text, "the identifiers in " + entries +
                     " belong to more than one record: what another record holds is not told here");
}

}  // namespace carehub::care
