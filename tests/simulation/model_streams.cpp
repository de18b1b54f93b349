#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/model.hpp"

// Watches, which end with their connection, and replays, which are streams of their own.

namespace carehub::simulation {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

/// By a table of the simulator's own: an operator has any role, an agency its one.
std::optional<Reader> reader_of(const std::string& agency, const std::string& role) {
  if (agency.empty() && role == kAuditor.role) return kAuditor;
  for (const Interest& interest : interests()) {
    if (agency == interest.reader.agency && role == interest.reader.role) return interest.reader;
  }
  return std::nullopt;
}

}  // namespace

std::string watch_name(const std::string& label, Serial serial) {
  return "~" + label + "@" + std::to_string(serial & 0xFFFF'FFFFU);
}

void Model::took_watch(Serial serial, const std::string& agency, const wire::Subscribe& frame) {
  const auto reader = reader_of(agency, text_of(frame.role()));
  if (!reader) return;
  // What it was offered before may still be on its way.
  Watch& watch = watches_[watch_name(text_of(frame.name()), serial)];
  watch.reader = *reader;
  watch.wants = wants_of(frame.filter());
  watch.ended = 0;
}

/// All of a connection's where there is no label.
void Model::watches_end(Serial serial, const std::string& label) {
  const std::string name = watch_name(label, serial);
  for (auto& [each, watch] : watches_) {
    if (label.empty() ? each.ends_with(name.substr(1)) : each == name) watch.ended = frames_taken_;
  }
}

void Model::read_watch_offered(const ledger::Offered& entry) {
  const std::string name = text_of(entry.subscription());
  const auto found = watches_.find("~" + name.substr(name.rfind(':') + 1));
  if (found == watches_.end()) return broken("a watch is somebody's who is connected", name);
  Watch& watch = found->second;
  if (!name.starts_with("~" + std::string(watch.reader.agency) + ":"))
    return broken("a watch's Offered names who watches", name);
  for (const auto* run : *entry.runs()) {
    for (Sequence sequence = run->range()->first(); sequence <= run->range()->last(); ++sequence) {
      const std::string what = name + ", event " + std::to_string(sequence);
      const auto kept = kept_.find(sequence);
      if (is_erased(sequence, what)) return;
      if (kept == kept_.end() || run->attempt() != 1 || entry.late())
        return broken("a watch is offered events as they come", what);
      const Publication& publication = *kept->second.publication;
      if (publication.only_for || !matches(watch.wants, publication) ||
          !matches(watch.wants, as_shown(publication, watch.reader)) ||
          !may_see(watch.reader, publication, policies_.rbegin()->second, refused(sequence, 0)))
        return broken("nobody is offered what filter or role does not allow", what);
      const auto taken = first_taken_.find(publication.number);
      if (watch.ended != 0 && taken != first_taken_.end() && taken->second > watch.ended)
        return broken("a watch ends with its connection", what);
      watch.offered.insert(sequence);
    }
  }
}

void Model::sent_to_watch(Watch& watch, Attachment& attachment, const wire::Deliver& frame, bool late) {
  if (frame.deliveries() == nullptr) return;
  for (const auto* delivery : *frame.deliveries()) {
    const Sequence sequence = delivery->sequence();
    const std::string what = "a watch, event " + std::to_string(sequence);
    verdict_.tell("hub -> " + what);
    if (is_erased(sequence, what)) return;
    if (!watch.offered.contains(sequence))
      return broken("what a watch is shown is in the synced ledger before it leaves", what);
    if (++attachment.sent > attachment.credit) return broken("credit bounds what is in flight", what);
    if (delivery->replay() || delivery->late() || delivery->attempt() != 1)
      return broken("a watch is offered events as they come", what);
    const Publication& publication = *kept_.at(sequence).publication;
    Sequence& newest = watch.newest[publication.child];
    if (!late && sequence <= newest) return broken("a watch is shown each child's events in order", what);
    newest = std::max(newest, sequence);
    check_view(what, watch.reader, policies_.rbegin()->second, publication, *delivery);
  }
}

void Model::read_access(const ledger::Access& entry) {
  if (!text_of(entry.verb()).starts_with("refused ")) accesses_.insert(text_of(entry.reason()));
}

/// `offered`: it may be shown, whenever since it was asked its part was made; `nothing`: it depends.
Due Model::may_be_replayed(const Replay& replay, Sequence sequence) const {
  const auto through = decisions_since(replay.head, sequence);
  const auto shown = [&](Sequence known) {
    return may_see(*replay.reader, *kept_.at(sequence).publication, policies_.rbegin()->second,
                   refused(sequence, known));
  };
  if (std::ranges::all_of(through, shown)) return Due::offered;
  return std::ranges::any_of(through, shown) ? Due::nothing : Due::withheld;
}

void Model::took_replay(Connection& connection, const std::string& agency, const wire::Replay& frame) {
  Replay replay;
  replay.reader = reader_of(agency, text_of(frame.role()));
  replay.wants = wants_of(frame.filter());
  for (int child = 1; child <= kChildren; ++child) {
    if (text_of(frame.person()) == "nhs:" + fakes::test_nhs_number(child)) replay.child = child;
  }
  replay.first = frame.first();
  replay.last = frame.last();
  replay.preview = frame.preview();
  replay.head = read_through_;
  replay.reason = text_of(frame.reason());
  // A frame that the network doubled asks twice under one number.
  auto [place, fresh] = connection.replays.emplace(frame.number(), replay);
  if (!fresh) ++place->second.streams;
  place->second.doubled = !fresh;
}

void Model::sent_replayed(Connection& connection, const wire::Replayed& frame, bool late) {
  const auto found = connection.replays.find(frame.number());
  if (found == connection.replays.end())
    return broken("a replay goes to whoever asked", std::to_string(frame.number()));
  Replay& replay = found->second;
  if (frame.error() == wire::ErrorKind::unknown && !replay.reader)
    return broken("nobody replays in a role that is not theirs", replay.reason);
  if (frame.error() == wire::ErrorKind::unknown) {
    if (!accesses_.contains(replay.reason))
      return broken("a replay is recorded before it starts", replay.reason);
    replay.matched += frame.matched();
    if (frame.deliveries() != nullptr) {
      for (const auto* delivery : *frame.deliveries()) sent_again(replay, *delivery);
    }
    if (frame.last()) replay_ended(replay, late);
  }
  const bool over = frame.last() || frame.error() != wire::ErrorKind::unknown;
  if (over && --replay.streams == 0) connection.replays.erase(found);
}

void Model::sent_again(Replay& replay, const wire::Delivery& delivery) {
  const Sequence sequence = delivery.sequence();
  const std::string what = replay.reason + ", event " + std::to_string(sequence);
  const auto kept = kept_.find(sequence);
  if (is_erased(sequence, what)) return;
  if (kept == kept_.end()) return broken("a replay shows what is in the ledger", what);
  const Publication& publication = *kept->second.publication;
  if (!delivery.replay() || delivery.late() || delivery.attempt() != 1 || replay.preview)
    return broken("a replay is marked as one, and a preview shows nothing", what);
  const bool within = sequence >= replay.first && (replay.last == 0 || sequence <= replay.last);
  const bool of_child = replay.child == 0 || replay.child == publication.child;
  if (publication.only_for) return broken("what was mended for one is told to nobody else", what);
  if (!within || !of_child || !matches(replay.wants, as_shown(publication, *replay.reader)) ||
      (sequence <= replay.newest && !replay.doubled))
    return broken("a replay shows what was asked for, once and in order", what);
  if (may_be_replayed(replay, sequence) == Due::withheld)
    return broken("nobody sees what the role may not", what);
  replay.newest = sequence;
  replay.shown.insert(sequence);
  check_view(what, *replay.reader, policies_.rbegin()->second, publication, delivery);
}

/// Whatever there was to show when it was asked for has been shown, or counted in a preview.
void Model::replay_ended(const Replay& replay, bool late) {
  if (late || replay.doubled) return;
  std::uint64_t due = 0;
  std::uint64_t possible = 0;
  for (auto kept = kept_.lower_bound(replay.first); kept != kept_.end(); ++kept) {
    if (replay.last != 0 && kept->first > replay.last) break;
    const Publication& publication = *kept->second.publication;
    const bool of_child = replay.child == 0 || replay.child == publication.child;
    if (publication.only_for || !of_child || !matches(replay.wants, as_shown(publication, *replay.reader)) ||
        may_be_replayed(replay, kept->first) == Due::withheld)
      continue;
    ++possible;
    if (may_be_replayed(replay, kept->first) == Due::nothing || kept->first > replay.head ||
        kept->second.erased != 0 || erasing())
      continue;
    ++due;
    if (!replay.preview && !replay.shown.contains(kept->first))
      return broken("a replay leaves nothing out", replay.reason + ", event " + std::to_string(kept->first));
  }
  const bool miscounted = !replay.preview && replay.matched != replay.shown.size();
  if (miscounted || replay.matched < due || replay.matched > possible)
    broken("a replay counts what it shows", replay.reason + ": " + std::to_string(replay.matched) + ", not " +
                                                std::to_string(due) + " to " + std::to_string(possible));
}

}  // namespace carehub::simulation
