#include "broker/care/policy_diff.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/core/disclosure.hpp"

namespace carehub::care {
namespace {

constexpr std::size_t kNoRule = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kRowBytes = 128;  // of a row beside its texts, at most

Result<core::Policy> policy_of(const std::string& text, const char* which, const core::Policy& current) {
  if (text.empty()) return current;
  return core::Disclosure::parse_policy(text, which, 0);
}

std::size_t place_of(const core::DisclosureRule* rule, const core::Policy& policy) {
  return rule == nullptr ? kNoRule : static_cast<std::size_t>(rule - policy.rules().data());
}

std::string name_of(std::size_t rule, const core::Policy& policy) {
  return rule == kNoRule ? std::string() : policy.rules()[rule].name;
}

std::set<std::string> roles_in(const core::Policy& policy) {
  std::set<std::string> roles;
  for (const auto& rule : policy.rules()) roles.insert(rule.role);
  return roles;
}

std::set<std::string> parties_in(const core::Policy& policy) {
  std::set<std::string> parties;
  for (const auto& agreement : policy.agreements())
    parties.insert(agreement.parties.begin(), agreement.parties.end());
  return parties;
}

}  // namespace

PolicyDiff::PolicyDiff(const PastReader& past, wire::QueryT query, Timestamp at)
    : past_(past), query_(std::move(query)), at_(at) {}

Result<bool> PolicyDiff::advance() {
  if (!new_) {
    if (auto begun = begin(); !begun) return tl::unexpected(begun.error());
    return false;
  }
  work_ = 0;
  try_pairs();
  for (std::size_t looks = 0; !tried_ && work_ < kWorkOfPart;) {
    const auto entries = past_.ledger().read(next_, kLooksOfPart - looks, kScanBytes);
    if (!entries) return tl::unexpected(entries.error());
    if (entries->empty() || entries->front().header.sequence > through_) {
      end();
      return true;
    }
    for (const auto& sealed : *entries) {
      if (sealed.header.sequence > through_) break;
      if (auto taken = take(sealed); !taken) return tl::unexpected(taken.error());
      next_ = sealed.header.sequence + 1;
      ++looks;
      try_pairs();
      if (tried_) break;
    }
    if (looks >= kLooksOfPart) break;
  }
  return false;
}

Result<void> PolicyDiff::begin() {
  auto before = policy_of(query_.old_policy, "the old policy", past_.policy());
  if (!before) return tl::unexpected(before.error());
  auto after = policy_of(query_.policy, "the new policy", past_.policy());
  if (!after) return tl::unexpected(after.error());
  through_ = past_.ledger().head();
  const auto first = past_.first_since({query_.first_at});
  if (!first) return tl::unexpected(first.error());
  next_ = *first;
  old_ = std::move(*before);
  new_ = std::move(*after);
  add_pairs();
  return {};
}

void PolicyDiff::add_pairs() {
  static const core::Agency nobody;
  auto roles = roles_in(*old_);
  roles.merge(roles_in(*new_));
  for (const auto& role : roles) {
    auto agencies = past_.agencies_with(role);
    if (agencies.empty()) agencies = {&nobody};
    for (const auto* agency : agencies) {
      if (pairs_.size() < kPairsMax) {
        pairs_.push_back({role, agency});
      } else {
        ++pairs_cut_;
      }
    }
  }
}

Result<void> PolicyDiff::take(const storage::SealedEntry& sealed) {
  if (sealed.header.kind != storage::EntryKind::event) return {};
  auto opened = past_.open(sealed);
  if (!opened && opened.error().kind != ErrorKind::corrupt) return tl::unexpected(opened.error());
  if (!opened) {
    ++unopened_;
    return {};
  }
  if (!*opened) {
    ++erased_;
    return {};
  }
  // What stands in for a dead letter is an event that has been tried.
  if ((*opened)->mends != 0) return {};
  auto known = past_.known_child(**opened, at_);
  if (!known) return tl::unexpected(known.error());
  ++events_;
  tried_ = Tried{std::move(**opened), std::move(*known)};
  return {};
}

/// As far as this part's work goes.
void PolicyDiff::try_pairs() {
  if (!tried_) return;
  for (auto& place = tried_->next_pair; place < pairs_.size(); ++place) {
    if (work_ >= kWorkOfPart) return;
    compare(pairs_[place], place);
  }
  tried_.reset();
}

void PolicyDiff::compare(Pair& pair, std::size_t place) {
  const auto& event = *tried_->past.event;
  work_ += 1 + old_->rules().size() + new_->rules().size();
  const auto* before = old_->rule_for(pair.role, *pair.agency, event, tried_->known, at_);
  const auto* after = new_->rule_for(pair.role, *pair.agency, event, tried_->known, at_);
  if (before == nullptr && after == nullptr) return;
  const auto [made, fresh] = tried_->changes.try_emplace({before, after});
  if (fresh) {
    std::size_t judged = 0;
    const auto marks = core::marks_of(event, tried_->known);
    made->second = core::view_changes(before, after, event, marks, judged);
    if (before == nullptr) made->second.insert({"", core::Extent::nothing, core::Extent::whole});
    if (after == nullptr) made->second.insert({"", core::Extent::whole, core::Extent::nothing});
    work_ += judged * kWorkOfField;
  }
  for (const auto& field : made->second) {
    pair.more = pair.more || field.after > field.before;
    pair.less = pair.less || field.after < field.before;
    add_change({place, event.type(), field, place_of(before, *old_), place_of(after, *new_)});
  }
}

void PolicyDiff::add_change(Change change) {
  auto found = changes_.find(change);
  if (found == changes_.end()) {
    const bool of_event = change.field.path.empty();
    const auto rows = of_event ? event_changes_ : changes_.size() - event_changes_;
    if (rows >= (of_event ? kEventChangesMax : kFieldChangesMax)) {
      ++(of_event ? events_cut_ : fields_cut_);
      return;
    }
    if (of_event) ++event_changes_;
    found = changes_.emplace(std::move(change), Count{0, tried_->past.sequence}).first;
  }
  ++found->second.events;
}

wire::RowT& PolicyDiff::add_row(const char* kind) {
  page_.rows.push_back(std::make_unique<wire::RowT>());
  page_.rows.back()->kind = kind;
  return *page_.rows.back();
}

void PolicyDiff::end() {
  auto& head = add_row("policy_diff");
  head.since = query_.first_at;
  head.sequence = through_;
  head.pending = events_;
  head.dead_letters = erased_;
  head.attempts = unopened_;
  add_only_in("role", roles_in(*old_), roles_in(*new_));
  add_only_in("party", parties_in(*old_), parties_in(*new_));
  for (const bool more : {true, false}) {
    auto& row = add_row("pairs");
    row.state = more ? "more" : "less";
    row.pending = static_cast<std::uint64_t>(
        std::ranges::count_if(pairs_, [more](const Pair& pair) { return more ? pair.more : pair.less; }));
  }
  add_changes();
  add_cut("events", events_cut_);
  add_cut("fields", fields_cut_);
  add_cut("pairs", pairs_cut_);
}

void PolicyDiff::add_only_in(const char* kind, const std::set<std::string>& old_names,
                             const std::set<std::string>& new_names) {
  std::uint64_t named = 0;
  for (const bool is_new : {false, true}) {
    const auto& here = is_new ? new_names : old_names;
    const auto& there = is_new ? old_names : new_names;
    for (const auto& name : here) {
      if (there.contains(name) || ++named > kNamesMax) continue;
      auto& row = add_row(kind);
      (std::string_view(kind) == "role" ? row.role : row.agency) = name;
      row.state = is_new ? "new" : "old";
    }
  }
  if (named > kNamesMax) add_cut(kind, named - kNamesMax);
}

void PolicyDiff::add_changes() {
  std::size_t bytes = 0;
  for (const auto& [change, count] : changes_) {
    const auto& pair = pairs_[change.pair];
    auto rule_before = name_of(change.rule_before, *old_);
    auto rule_after = name_of(change.rule_after, *new_);
    bytes += kRowBytes + pair.role.size() + pair.agency->id.size() + change.field.path.size() +
             rule_before.size() + rule_after.size();
    if (bytes > kPageBytes && !change.field.path.empty()) {
      fields_cut_ += count.events;
      continue;
    }
    auto& row = add_row("change");
    row.role = pair.role;
    row.agency = pair.agency->id;
    row.type = change.type;
    row.path = change.field.path;
    row.state_before = core::word_of(change.field.before);
    row.state = core::word_of(change.field.after);
    row.text = change.field.after > change.field.before   ? "more"
               : change.field.after < change.field.before ? "less"
                                                          : "another text";
    row.rule_before = std::move(rule_before);
    row.rule = std::move(rule_after);
    row.pending = count.events;
    row.sequence = count.first;
  }
}

void PolicyDiff::add_cut(const char* what, std::uint64_t count) {
  if (count == 0) return;
  auto& row = add_row("cut");
  row.text = what;
  row.pending = count;
}

}  // namespace carehub::care
