#include "broker/core/engine.hpp"

#include <algorithm>
#include <limits>

#include "broker/base/assert.hpp"
#include "broker/core/admission.hpp"
#include "broker/core/agencies_text.hpp"
#include "broker/core/agreement_alarm.hpp"
#include "broker/core/backups.hpp"
#include "broker/core/broken_glass.hpp"
#include "broker/core/child_marks.hpp"
#include "broker/core/courses.hpp"
#include "broker/core/deliveries.hpp"
#include "broker/core/doors.hpp"
#include "broker/core/erasures.hpp"
#include "broker/core/policy_changes.hpp"
#include "broker/core/questions.hpp"
#include "broker/core/record_links.hpp"
#include "broker/core/refused_questions.hpp"
#include "broker/core/repeats.hpp"
#include "broker/core/replays_into.hpp"
#include "broker/core/reports.hpp"
#include "broker/core/subscribers.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::core {
namespace {

std::string text_of(const flatbuffers::String* text) { return text == nullptr ? std::string() : text->str(); }

/// What the items would be once each has its own copy: parts that a frame shares count each time.
std::size_t unpacked_bytes(const wire::Publish& frame) {
  std::size_t bytes = 0;
  const auto add = [&](const auto* part) { bytes += part == nullptr ? 0 : part->size(); };
  for (const auto* item : *frame.items()) {
    add(item->channel());
    add(item->event());
    add(item->identity());
    add(item->content_hash());
    add(item->original());
    add(item->original_media_type());
    if (const auto* problem = item->problem()) {
      add(problem->code());
      add(problem->place());
      add(problem->text());
    }
  }
  return bytes;
}

/// Knows the newest sequence, which Subscribed tells.
class CountingJournal final : public Journal {
 public:
  explicit CountingJournal(Journal& journal) : journal_(journal) {}
  Sequence append(NewEntry entry, Timestamp at) override {
    head_ = journal_.append(std::move(entry), at);
    return head_;
  }
  Sequence head() const { return head_; }
  void start(Sequence head) { head_ = head; }

 private:
  Journal& journal_;
  Sequence head_ = 0;
};

}  // namespace

struct Engine::Impl {
  Impl(const StateReader& state_in, Journal& journal_in, storage::Vault& vault_in, Random& random_in,
       WorkNote* note_in)
      : state(state_in),
        vault(vault_in),
        random(random_in),
        note(note_in != nullptr ? *note_in : own_note),
        journal(journal_in),
        day_keys(state_in, vault_in) {}

  /// What exists once the configuration is known.
  struct Started {
    Started(Impl& impl, const HubRules& rules)
        : disclosure(rules.agencies, impl.vault.index_key()),
          context{impl.state,  impl.journal,           disclosure,    impl.day_keys,
                  impl.random, impl.vault.index_key(), impl.counters, impl.note},
          deliveries(context),
          refused(impl.journal, impl.day_keys),
          replays(context, deliveries, refused),
          subscribers(context, deliveries, replays),
          courses(context, deliveries, subscribers, replays, refused),
          erasures(context, deliveries, refused),
          backups(context, refused),
          reports(context),
          questions(context, deliveries, refused),
          policies(context, disclosure, deliveries, refused),
          child_marks(context, refused),
          record_links(context),
          broken_glass(context, refused),
          repeats(impl.journal, impl.day_keys),
          strangers(impl.journal, impl.day_keys),
          doors(rules.inbound, impl.journal, impl.day_keys, refused),
          admission(rules, impl.state, impl.journal, impl.vault, impl.day_keys, impl.random, impl.counters,
                    repeats, impl.note, [this](const RecordedEvent& recorded) {
                      auto followed = record_links.follow(recorded);
                      return followed ? deliveries.route(recorded) : followed;
                    }) {}

    Disclosure disclosure;
    AgreementAlarm agreement_alarm;
    DeliveryContext context;
    Deliveries deliveries;
    RefusedQuestions refused;
    ReplaysInto replays;
    Subscribers subscribers;
    Courses courses;
    Erasures erasures;
    Backups backups;
    Reports reports;
    Questions questions;
    PolicyChanges policies;
    ChildMarks child_marks;
    RecordLinks record_links;
    BrokenGlass broken_glass;
    RepeatCounts repeats;
    Strangers strangers;
    Doors doors;
    Admission admission;
  };

  const StateReader& state;
  storage::Vault& vault;
  Random& random;
  WorkNote own_note;
  WorkNote& note;
  CountingJournal journal;
  DayKeys day_keys;
  Counters counters;
  Timestamp newest;    // time never goes back
  Timestamp appended;  // the newest entry's at the start: no later one is stamped earlier
  std::unique_ptr<Started> started;

  Timestamp tick(Timestamp now) {
    newest = std::max(newest, now);
    return newest;
  }
  Started& running() {
    CAREHUB_ASSERT(started != nullptr, "start() comes first");
    return *started;
  }
  Result<void> use_policies(const HubRules& rules, const EngineState& known, Timestamp now);
  Result<void> record_agencies(const HubRules& rules, const EngineState& known, Timestamp now);
  Result<void> publish(const Peer& peer, const wire::Publish& frame, Timestamp now, Decision& out);
  void answer(const Peer& peer, const wire::Ack& frame, Timestamp now, Decision& out);
  void answer(const Peer& peer, const wire::Nak& frame, Timestamp now, Decision& out);
  void grant(const Peer& peer, const wire::Credit& frame);
  Result<void> replay(const Peer& peer, const wire::Replay& frame, Timestamp now, Decision& out);
};

Engine::Engine(const StateReader& state, Journal& journal, storage::Vault& vault, Random& random,
               WorkNote* note)
    : impl_(std::make_unique<Impl>(state, journal, vault, random, note)) {}
Engine::~Engine() = default;

Result<void> Engine::Impl::use_policies(const HubRules& rules, const EngineState& known, Timestamp now) {
  for (const auto& policy : known.policies) {
    auto parsed = Disclosure::parse_policy(policy.text, "policy of entry " + std::to_string(policy.version),
                                           policy.version);
    if (!parsed) return tl::unexpected(parsed.error());
    running().disclosure.add_policy(std::move(*parsed));
  }
  if (!known.policies.empty() && known.policies.back().text == rules.policy_text) return {};
  auto fresh = Disclosure::parse_policy(rules.policy_text, rules.policy_file, 0);
  if (!fresh) return tl::unexpected(fresh.error());
  auto key = day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  ledger::PolicyChangedT entry;
  entry.text = rules.policy_text;
  entry.by = kByConfiguration;
  entry.reason = rules.policy_file;
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::PolicyChanged::Pack(builder, &entry));
  // A policy's version is the sequence of the entry that brought it in.
  const auto version = journal.append({storage::EntryKind::policy_changed, *key, std::move(body)}, now);
  fresh = Disclosure::parse_policy(rules.policy_text, rules.policy_file, version);
  if (!fresh) return tl::unexpected(fresh.error());
  running().disclosure.add_policy(std::move(*fresh));
  return {};
}

/// Whose codes and roles decide from here on: what was offered then can be told later by them.
Result<void> Engine::Impl::record_agencies(const HubRules& rules, const EngineState& known, Timestamp now) {
  ledger::ConfigChangedT entry;
  entry.text = agencies_text(rules.agencies);
  if (entry.text == known.agencies) return {};
  auto key = day_keys.key(kHubPurpose, now);
  if (!key) return tl::unexpected(key.error());
  entry.by = kByConfiguration;
  entry.reason = "agencies";
  flatbuffers::FlatBufferBuilder builder;
  auto body = finish_body(builder, ledger::ConfigChanged::Pack(builder, &entry));
  journal.append({storage::EntryKind::config_changed, *key, std::move(body)}, now);
  return {};
}

Result<void> Engine::start(const HubRules& rules, EngineState state, Timestamp now, Decision&) {
  CAREHUB_ASSERT(impl_->started == nullptr, "start() is called once");
  // Timers do not wait for it: a clock that had jumped ahead may have stamped it.
  impl_->appended = state.appended_at;
  impl_->journal.start(state.head);
  const auto at = impl_->tick(now);
  impl_->started = std::make_unique<Impl::Started>(*impl_, rules);
  impl_->running().disclosure.begin_at(impl_->appended);
  if (auto used = impl_->use_policies(rules, state, at); !used) return used;
  if (auto recorded = impl_->record_agencies(rules, state, at); !recorded) return recorded;
  impl_->running().record_links.look_out_for(state.linked_names);
  return impl_->started->subscribers.configure(rules.subscriptions, std::move(state), at);
}

Result<void> Engine::Impl::publish(const Peer& peer, const wire::Publish& frame, Timestamp now,
                                   Decision& out) {
  const std::size_t items = frame.items() == nullptr ? 0 : frame.items()->size();
  if (items == 0 || items > limits::kPublishItemsMax) {
    out.sends.push_back(
        {peer.connection,
         rejected_frame(ErrorKind::invalid,
                        "a Publish holds 1 to " + std::to_string(limits::kPublishItemsMax) + " items")});
    return {};
  }
  if (unpacked_bytes(frame) > limits::kFrameBytesMax) {
    out.sends.push_back({peer.connection, rejected_frame(ErrorKind::invalid,
                                                         "the items of a Publish share parts that add up "
                                                         "to more than a frame may hold: send fewer")});
    return {};
  }
  std::vector<wire::PublishOutcomeT> outcomes;
  outcomes.reserve(items);
  for (const auto* item : *frame.items()) {
    auto outcome = running().admission.admit(peer, *item, std::max(now, appended), out);
    if (!outcome) return tl::unexpected(outcome.error());
    outcomes.push_back(std::move(*outcome));
  }
  out.sends.push_back({peer.connection, published_frame(outcomes)});
  return {};
}

void Engine::Impl::answer(const Peer& peer, const wire::Ack& frame, Timestamp now, Decision& out) {
  auto* delivery = running().deliveries.of_connection(peer.connection, text_of(frame.subscription()));
  if (delivery == nullptr || frame.ranges() == nullptr) {
    ++counters.ignored_answers;
    return;
  }
  for (const auto* range : *frame.ranges()) delivery->ack(range->first(), range->last(), now, out);
}

void Engine::Impl::answer(const Peer& peer, const wire::Nak& frame, Timestamp now, Decision& out) {
  auto* delivery = running().deliveries.of_connection(peer.connection, text_of(frame.subscription()));
  if (delivery == nullptr || frame.items() == nullptr) {
    ++counters.ignored_answers;
    return;
  }
  for (const auto* item : *frame.items()) {
    const bool unavailable = item->kind() == ledger::NakKind::unavailable;
    delivery->nak(*item, unavailable && running().deliveries.one_in_flight(*delivery), now, out);
  }
}

void Engine::Impl::grant(const Peer& peer, const wire::Credit& frame) {
  auto* delivery = running().deliveries.of_connection(peer.connection, text_of(frame.subscription()));
  if (delivery == nullptr) {
    ++counters.ignored_answers;
    return;
  }
  delivery->grant(frame.amount());
}

Result<void> Engine::Impl::replay(const Peer& peer, const wire::Replay& frame, Timestamp now, Decision& out) {
  const bool into = frame.into() != nullptr && frame.into()->size() > 0;
  if (into && !frame.preview()) return running().replays.start(peer, frame, journal.head(), now, out);
  return running().questions.replay(peer, frame, journal.head(), now, out);
}

Result<void> Engine::handle(const Peer& peer, const wire::Frame& frame, Timestamp now, Decision& out) {
  auto& self = *impl_;
  auto& running = self.running();
  const auto at = self.tick(now);
  switch (frame.message_type()) {
    case wire::Message::Publish: return self.publish(peer, *frame.message_as_Publish(), at, out);
    case wire::Message::Subscribe:
      return running.subscribers.subscribe(peer, *frame.message_as_Subscribe(), self.journal.head(), at, out);
    case wire::Message::Unsubscribe:
      running.subscribers.unsubscribe(peer, *frame.message_as_Unsubscribe(), at, out);
      return {};
    case wire::Message::Credit: self.grant(peer, *frame.message_as_Credit()); return {};
    case wire::Message::Ack: self.answer(peer, *frame.message_as_Ack(), at, out); return {};
    case wire::Message::Nak: self.answer(peer, *frame.message_as_Nak(), at, out); return {};
    case wire::Message::Query: return running.questions.query(peer, *frame.message_as_Query(), at, out);
    case wire::Message::Replay: return self.replay(peer, *frame.message_as_Replay(), at, out);
    case wire::Message::HandleDeadLetter:
      return running.questions.handle_dead_letter(peer, *frame.message_as_HandleDeadLetter(), at, out);
    case wire::Message::Erase: return running.erasures.ask(peer, *frame.message_as_Erase(), at, out);
    case wire::Message::Backup: return running.backups.ask(peer, *frame.message_as_Backup(), at, out);
    case wire::Message::HandleSubscription:
      return running.courses.handle(peer, *frame.message_as_HandleSubscription(), self.journal.head(), at,
                                    out);
    case wire::Message::ChangePolicy:
      return running.policies.handle(peer, *frame.message_as_ChangePolicy(), at, out);
    case wire::Message::MarkChild:
      return running.child_marks.handle(peer, *frame.message_as_MarkChild(), at, out);
    case wire::Message::BreakGlass:
      return running.broken_glass.handle(peer, *frame.message_as_BreakGlass(), at, out);
    case wire::Message::TellDoor: return running.doors.handle(peer, *frame.message_as_TellDoor(), at, out);
    default:
      out.sends.push_back(
          {peer.connection,
           rejected_frame(ErrorKind::invalid, "this hub does not take such a frame from a client")});
      return {};
  }
}

void Engine::disconnected(ConnectionId connection, Timestamp now, Parting parting) {
  auto& deliveries = impl_->running().deliveries;
  const auto at = impl_->tick(now);
  const bool alone = deliveries.one_in_flight(connection);
  std::vector<std::string> watches;
  for (const auto& delivery : deliveries.all()) {
    if (delivery->connection() != connection) continue;
    if (parting == Parting::lost) delivery->lose(alone, at);
    delivery->detach(at);
    if (delivery->watch()) watches.push_back(delivery->subscription().name);
  }
  for (const auto& watch : watches) deliveries.remove(watch);
}

Result<Timestamp> Engine::advance(Timestamp now, Decision& out) {
  auto& deliveries = impl_->running().deliveries;
  const auto at = impl_->tick(now);
  std::vector<std::string> overflowed;
  Timestamp due{std::numeric_limits<std::int64_t>::max()};
  auto& courses = impl_->running().courses;
  if (auto moved = courses.advance(impl_->journal.head(), at, out); !moved)
    return tl::unexpected(moved.error());
  for (const auto& delivery : deliveries.all()) {
    delivery->expire(at, out);
    if (auto written = delivery->write_records(at); !written) return tl::unexpected(written.error());
    if (delivery->overflowed()) {
      overflowed.push_back(delivery->subscription().name);
      continue;
    }
    if (const auto& replay = delivery->subscription().replay) {
      const auto* target = deliveries.find(replay->subscription);
      delivery->hold_back(target == nullptr || target->paused());
    }
    if (auto sent = delivery->send_ready(at, out); !sent) return tl::unexpected(sent.error());
    if (auto written = delivery->write_records(at); !written) return tl::unexpected(written.error());
    if (auto watched = delivery->watch_age(at, out); !watched) return tl::unexpected(watched.error());
    if (const auto next = delivery->next_due(at)) due = std::min(due, *next);
  }
  for (const auto& name : overflowed) {
    const auto* watch = deliveries.find(name);
    out.sends.push_back({*watch->connection(), rejected_frame(ErrorKind::overloaded,
                                                              "subscription " + watch->label() +
                                                                  ": it does not keep up; it has ended",
                                                              false, 0, watch->label())});
    deliveries.remove(name);
  }
  if (auto ended = impl_->running().replays.end_done(impl_->journal.head(), at); !ended)
    return tl::unexpected(ended.error());
  auto repeats = impl_->running().repeats.advance(at);
  if (!repeats) return tl::unexpected(repeats.error());
  if (*repeats) due = std::min(due, **repeats);
  auto refused = impl_->running().refused.advance(at);
  if (!refused) return tl::unexpected(refused.error());
  due = std::min(due, *refused);
  auto turned_away = impl_->running().doors.advance(at);
  if (!turned_away) return tl::unexpected(turned_away.error());
  due = std::min(due, *turned_away);
  auto& alarm = impl_->running().agreement_alarm;
  const auto& policy = impl_->running().disclosure.current();
  alarm.look(policy, at, out);
  if (const auto next = alarm.due(policy)) due = std::min(due, *next);
  if (courses.has_more(impl_->journal.head())) due = at;
  return due;
}

Result<void> Engine::erase(const AskErasure& ask, ErasureFindings findings, Timestamp now, Decision& out) {
  return impl_->running().erasures.erase(ask, std::move(findings), impl_->journal.head(), impl_->tick(now),
                                         out);
}

Result<void> Engine::note_strangers(const StrangerCounts& totals, Timestamp now) {
  return impl_->running().strangers.note(totals, impl_->tick(now));
}

Result<void> Engine::destroy(const std::vector<KeyId>& keys) { return impl_->vault.destroy(keys); }

Result<void> Engine::end_backup(const AskBackup& ask, const Result<Sequence>& copied, Timestamp now,
                                Decision& out) {
  return impl_->running().backups.ended(ask, copied, impl_->tick(now), out);
}

Result<void> Engine::end_report(const Ask& ask, wire::PageT page, Timestamp now, Decision& out) {
  return impl_->running().reports.end(ask, std::move(page), impl_->tick(now), out);
}

std::vector<std::string> Engine::copies_with(const std::vector<KeyId>& keys) const {
  return impl_->vault.copies_with(keys);
}

Result<void> Engine::conclude(Destruction destruction, const std::vector<std::string>& copies, Timestamp now,
                              Decision& out) {
  return impl_->running().erasures.conclude(std::move(destruction), copies, impl_->tick(now), out);
}

const Counters& Engine::counters() const { return impl_->counters; }

}  // namespace carehub::core
