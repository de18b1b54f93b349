#include "broker/care/replay_answers.hpp"

#include <algorithm>

#include "broker/base/fault.hpp"
#include "broker/base/ledger_keys.hpp"
#include "broker/care/replay_preview.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/core/route.hpp"

namespace carehub::care {

ReplayPart ReplayAnswers::answer(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                                 const ReadAhead* ahead) const {
  ReplayPart part;
  part.frame.number = ask.replay.number;
  const auto replayed = ask.replay.preview ? preview_some(ask, from, part)
                                           : replay_some(ask, from, deliveries_max, ahead, part);
  part.frame.next = part.next;
  // How much is kept from an agency is kept from it, too.
  if (!ask.peer.is_operator) {
    part.frame.withheld = 0;
    for (auto& count : part.frame.counts) count->withheld = 0;
    std::erase_if(part.frame.counts, [](const auto& count) { return count->matched == 0; });
  }
  if (!replayed) {
    part.frame.deliveries.clear();
    part.frame.last = true;
    part.frame.error = static_cast<wire::ErrorKind>(replayed.error().kind);
    part.frame.text = replayed.error().text;
  }
  return part;
}

/// An agency's filter looks at what its role is shown: it is no way to find out about the rest.
Result<bool> ReplayAnswers::asked_for(const core::AskReplay& ask, const PastEvent& past) const {
  if (!ask.replay.filter) return true;
  if (ask.peer.is_operator) return core::matches(*ask.replay.filter, *past.event, past.channel);
  if (!core::matches(*ask.replay.filter, *past.event, past.channel)) return false;
  const auto known = past_.known_child(past, ask.at);
  if (!known) return tl::unexpected(known.error());
  const auto* rule =
      past_.policy().rule_for(ask.replay.role, past_.agency_of(ask.peer.agency), *past.event, *known, ask.at);
  if (rule == nullptr) return false;
  const auto view = past_.view(past, *rule, *known);
  if (!view && view.error().kind == ErrorKind::invalid) return false;
  if (!view) return tl::unexpected(view.error());
  return core::matches_view(*ask.replay.filter, *event::GetEvent(view->data()), past.channel);
}

/// What was opened before an Erasure is not shown after it.
Result<std::optional<PastEvent>> ReplayAnswers::event_of(const ReadAhead::Entry& entry) const {
  if (entry.body.empty() || past_.is_withdrawn(entry.header)) return std::optional<PastEvent>();
  auto event = event_in(entry.header, entry.body);
  if (!event) return tl::unexpected(event.error());
  return std::optional(std::move(*event));
}

/// The entries from part.next to `last`, or as far as one part goes; part.next is behind those that `look`
/// has said it is done with.
template <class Look>
Result<void> ReplayAnswers::each_entry(const ReadAhead* ahead, std::size_t entries_max, Sequence last,
                                       ReplayPart& part, Look look) const {
  const auto step = [&](Result<std::optional<PastEvent>> event) -> Result<bool> {
    if (!event) return tl::unexpected(event.error());
    auto done = *event ? look(**event) : Result<bool>(true);
    if (done && *done) ++part.next;
    return done;
  };
  if (ahead != nullptr && ahead->holds(part.next)) {
    while (ahead->holds(part.next) && part.next <= last) {
      const auto done = step(event_of(ahead->at(part.next)));
      if (!done) return tl::unexpected(done.error());
      if (!*done) return {};
    }
    part.frame.last = part.next > last;
    return {};
  }
  const auto entries = past_.ledger().read(part.next, entries_max, kScanBytes);
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& sealed : *entries) {
    if (part.next > last) break;
    const auto done = step(past_.open(sealed));
    if (!done) return tl::unexpected(done.error());
    if (!*done) return {};
  }
  part.frame.last = part.next > last || entries->empty();
  return {};
}

/// The events of a replay's next part that its person and its filter let through. `take` says whether the
/// part goes on behind this one, or begins again with it.
template <class Take>
Result<void> ReplayAnswers::each_of_part(const core::AskReplay& ask, Sequence from, std::size_t entries_max,
                                         const ReadAhead* ahead, ReplayPart& part, Take take) const {
  const auto& wanted = ask.replay;
  std::optional<PersonKey> person;
  if (!wanted.person.empty()) {
    auto found = past_.person_of(wanted.person);
    if (!found && found.error().kind == ErrorKind::not_found && !ask.peer.is_operator) {
      part.frame.last = true;  // whom the hub knows is not for every agency to find out
      return {};
    }
    if (!found) return tl::unexpected(found.error());
    person = *found;
  }
  part.next = std::max({from, wanted.first, Sequence{1}});
  const bool to_the_end = wanted.last == 0 || kFault == Fault::replays_past_the_end;
  const auto last = to_the_end ? past_.ledger().head() : std::min(wanted.last, past_.ledger().head());
  return each_entry(ahead, entries_max, last, part, [&](const PastEvent& event) -> Result<bool> {
    if (person && event.person != *person) return true;
    const auto let_through = asked_for(ask, event);
    if (!let_through) return tl::unexpected(let_through.error());
    return *let_through ? take(event) : Result<bool>(true);
  });
}

Result<void> ReplayAnswers::replay_some(const core::AskReplay& ask, Sequence from, std::size_t deliveries_max,
                                        const ReadAhead* ahead, ReplayPart& part) const {
  std::size_t bytes = 0;
  auto& deliveries = part.frame.deliveries;
  return each_of_part(ask, from, kScanEntries, ahead, part, [&](const PastEvent& past) -> Result<bool> {
    if (deliveries.size() >= deliveries_max) return false;
    auto one = replay_one(ask, past, part.frame);
    if (!one) return tl::unexpected(one.error());
    if (!*one) return true;
    bytes += (*one)->view.size();
    if (bytes > kPageBytes && !deliveries.empty()) {
      --part.frame.matched;  // the next part begins with it
      return false;
    }
    deliveries.push_back(std::move(*one));
    return true;
  });
}

Result<void> ReplayAnswers::preview_some(const core::AskReplay& ask, Sequence from, ReplayPart& part) const {
  auto subscribed = past_.visible(ask.peer);
  if (!subscribed) return tl::unexpected(subscribed.error());
  const auto& into = ask.replay.into;
  std::erase_if(*subscribed,
                [&](const auto& one) { return one.replay || (!into.empty() && one.name != into); });
  ReplayPreview preview(past_, std::move(*subscribed), ask.at);
  auto counted = each_of_part(ask, from, preview.entries_max(), nullptr, part,
                              [&](const PastEvent& past) -> Result<bool> {
                                if (auto counted_one = preview.count(past); !counted_one)
                                  return tl::unexpected(counted_one.error());
                                if (!into.empty() || !past.mended_for.empty()) return true;
                                const auto before = part.frame.matched;
                                if (auto one = replay_one(ask, past, part.frame); !one)
                                  return tl::unexpected(one.error());
                                preview.count(past.event->type(), part.frame.matched > before);
                                return true;
                              });
  part.frame.counts = preview.counts();
  for (const auto& count : part.frame.counts) {
    if (into.empty()) break;
    part.frame.matched += count->matched;
    part.frame.withheld += count->withheld;
  }
  return counted;
}

Result<ReplayAnswers::DeliveryPtr> ReplayAnswers::replay_one(const core::AskReplay& ask,
                                                             const PastEvent& past,
                                                             wire::ReplayedT& frame) const {
  if (!past.mended_for.empty()) return DeliveryPtr();  // it is for one subscription, never for a role
  const auto& role = ask.replay.role;
  const auto known = past_.known_child(past, ask.at);
  if (!known) return tl::unexpected(known.error());
  const auto* rule =
      past_.policy().rule_for(role, past_.agency_of(ask.peer.agency), *past.event, *known, ask.at);
  if (rule == nullptr) {
    ++frame.withheld;
    return DeliveryPtr();
  }
  auto view = past_.view(past, *rule, *known);
  if (!view && view.error().kind != ErrorKind::invalid) return tl::unexpected(view.error());
  if (!view) {
    ++frame.withheld;
    frame.text = view.error().text;  // one view that is too large ends no replay
    return DeliveryPtr();
  }
  ++frame.matched;
  if (ask.replay.preview) return DeliveryPtr();
  auto delivery = std::make_unique<wire::DeliveryT>();
  delivery->sequence = past.sequence;
  delivery->attempt = 1;
  delivery->appended_at = past.appended_at.us;
  delivery->type = past.event->type();
  const auto pseudonym = storage::keyed_hash(past_.index_key(), "pseudonym:replay:" + ask.peer.agency + ":" +
                                                                    role + ":" + to_hex(past.person.bytes));
  delivery->person = std::make_unique<ledger::Key>(to_ledger(pseudonym));
  delivery->view = std::move(*view);
  delivery->legal_basis = rule->legal_basis;
  delivery->replay = true;
  delivery->marks = past.marks;
  return delivery;
}

}  // namespace carehub::care
