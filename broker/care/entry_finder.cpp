#include "broker/care/entry_finder.hpp"

#include <algorithm>

namespace carehub::care {
namespace {

constexpr std::size_t kEntries = 64;  // of one read

bool holds(const ledger::Range* range, Sequence event) {
  return range != nullptr && range->first() <= event && event <= range->last();
}

bool is_of(const flatbuffers::String* name, std::string_view subscription) {
  return name != nullptr && name->string_view() == subscription;
}

bool says_so(const ledger::Body& body, std::string_view subscription, Sequence event) {
  if (const auto* offered = body.entry_as_Offered()) {
    return is_of(offered->subscription(), subscription) && offered->runs() != nullptr &&
           std::ranges::any_of(*offered->runs(), [&](const auto* run) { return holds(run->range(), event); });
  }
  if (const auto* acked = body.entry_as_Acked()) {
    return is_of(acked->subscription(), subscription) && acked->ranges() != nullptr &&
           std::ranges::any_of(*acked->ranges(), [&](const auto* range) { return holds(range, event); });
  }
  const auto* letter = body.entry_as_DeadLetter();
  return letter != nullptr && is_of(letter->subscription(), subscription) && letter->sequence() == event;
}

}  // namespace

Result<bool> EntryFinder::is_before(Sequence entry, Timestamp at) {
  ++looked_;
  auto entries = past_.ledger().read(entry, 1, 1);
  if (!entries) return tl::unexpected(entries.error());
  return !entries->empty() && entries->front().header.appended_at < at;
}

/// In steps that double, since what became of an event is mostly written soon after it.
Result<Sequence> EntryFinder::first_since(Sequence event, Timestamp at) {
  const Sequence behind_all = past_.ledger().head() + 1;
  Sequence first = event + 1;
  Sequence behind = first;
  for (Sequence step = 1; behind < behind_all; step *= 2) {
    auto before = is_before(behind, at);
    if (!before) return tl::unexpected(before.error());
    if (!*before) break;
    first = behind + 1;
    behind = std::min(behind + step, behind_all);
  }
  while (first < behind) {
    const Sequence middle = first + (behind - first) / 2;
    auto before = is_before(middle, at);
    if (!before) return tl::unexpected(before.error());
    (*before ? first : behind) = *before ? middle + 1 : middle;
  }
  return first;
}

Result<Sequence> EntryFinder::find(storage::EntryKind kind, std::string_view subscription, Sequence event,
                                   Timestamp at) {
  auto next = first_since(event, at);
  if (!next) return next;
  for (;;) {
    auto entries = past_.ledger().read(*next, kEntries, kScanBytes);
    if (!entries) return tl::unexpected(entries.error());
    looked_ += entries->size();
    for (const auto& sealed : *entries) {
      if (sealed.header.appended_at != at) return Sequence{0};
      *next = sealed.header.sequence + 1;
      if (sealed.header.kind != kind) continue;
      auto body = past_.body(sealed);
      if (!body) return tl::unexpected(body.error());
      const bool found =
          !body->empty() && says_so(*flatbuffers::GetRoot<ledger::Body>(body->data()), subscription, event);
      if (found) return sealed.header.sequence;
    }
    if (entries->empty()) return Sequence{0};
  }
}

}  // namespace carehub::care
