#include "tests/simulation/world.hpp"

#include <algorithm>

#include "broker/base/limits.hpp"

namespace carehub::simulation {
namespace {

constexpr Timestamp kStart{1'772'355'600'000'000};  // 2026-03-01T09:00Z

event::EventType some_type(Dice& dice) {
  using event::EventType;
  constexpr std::array<EventType, 8> types = {
      EventType::admission, EventType::admission, EventType::discharge,  EventType::referral,
      EventType::referral,  EventType::movement,  EventType::attendance, EventType::safeguarding_flag};
  return types[dice.below(types.size())];
}

}  // namespace

World::World(std::uint64_t seed, Verdict& verdict)
    : verdict_(verdict),
      clock_(kStart),
      model_(verdict, clock_),
      network_(clock_, model_),
      hub_(seed, std::array<std::size_t, 3>{0, 64, 100'000}[seed % 3], clock_, network_, verdict),
      rogue_(network_, clock_),
      operator_(network_, clock_) {
  model_.watch(hub_);
  for (int number = 0; number < 2; ++number)
    publishers_.push_back(std::make_unique<Publisher>(number, network_, clock_));
  for (const Interest& interest : interests()) {
    subscribers_.push_back(std::make_unique<Subscriber>(interest, network_, clock_, model_.publications()));
  }
  twin_ = std::make_unique<Subscriber>(interests()[0], network_, clock_, model_.publications());
  twin_->stay_away(true);
  subscribers_[kNight]->stay_away(true);
  for (const Reader& reader : {kDuty, kCommissioner, kAuditor})
    watchers_.push_back(std::make_unique<Watcher>(reader, network_, clock_));
  for (const auto& each : publishers_) sessions_.push_back(each.get());
  for (const auto& each : subscribers_) sessions_.push_back(each.get());
  sessions_.push_back(twin_.get());
  sessions_.push_back(&rogue_);
  sessions_.push_back(&operator_);
  for (const auto& each : watchers_) sessions_.push_back(each.get());
}

Session& World::some_session(Dice& dice) { return *sessions_[dice.below(sessions_.size())]; }
Subscriber& World::some_subscriber(Dice& dice) { return *subscribers_[dice.below(subscribers_.size())]; }

void World::run(const Plan& plan) {
  Dice dice(plan.seed);
  start_hub();
  for (const Action& action : plan.actions) {
    act(action);
    Dice thrown(action.dice ^ 0xA5A5'5A5AU);
    turn(thrown);
    if (verdict_.failed()) return;
  }
  heal(dice);
  Subscriber* ill = subscribers_[dice.below(kNight)].get();
  if (dice.one_in(2)) {
    ill->feel(dice.one_in(2) ? Mood::silent : Mood::unavailable);
  } else {
    ill->stay_away(true);
    ill->leave(dice);
  }
  verdict_.tell(std::string("the faults stop; all but ") + ill->interest().name + " are well");
  drain("one subscriber's fault never touches another's", ill, dice);
  if (verdict_.failed()) return;
  heal(dice);
  verdict_.tell("all are well");
  drain("every matching subscription gets every event", nullptr, dice);
  if (verdict_.failed()) return;
  send_some_again(dice);
  repeat_everything(dice);
  if (verdict_.failed()) return;
  compare_rebuilt_state(dice);
  model_.check_what_is_left();
}

Publication& World::say(Publication publication) {
  Publication& added = model_.add(std::move(publication));
  verdict_.tell("publisher " + std::to_string(added.publisher) + " says publication " +
                std::to_string(added.number) + ": " + event::EnumNameEventType(added.type) + " of child " +
                std::to_string(added.child));
  publishers_[static_cast<std::size_t>(added.publisher)]->publish(added);
  return added;
}

void World::publish(Dice& dice) {
  const std::size_t count = dice.one_in(6) ? 1 + dice.below(40) : 1 + dice.below(4);
  for (std::size_t each = 0; each < count; ++each) {
    Draft draft;
    draft.publisher = dice.number_below(2);
    draft.id = "event-" + std::to_string(++last_id_);
    draft.type = some_type(dice);
    draft.child = 1 + dice.number_below(kChildren);
    draft.tier = dice.one_in(2) ? 4 : 2;
    if (dice.one_in(2)) draft.urgency = static_cast<event::Urgency>(dice.below(4));
    draft.danger = dice.one_in(4);
    if (dice.one_in(12)) draft.consent = some_consent(dice);
    say(write_publication(draft));
  }
}

void World::publish_odd(Dice& dice) {
  Draft draft;
  draft.publisher = dice.number_below(2);
  draft.type = some_type(dice);
  draft.child = 1 + dice.number_below(kChildren);
  if (dice.one_in(2) || model_.publications().empty()) {
    draft.id = "event-" + std::to_string(++last_id_);
    (dice.one_in(2) ? draft.adult : dice.one_in(2) ? draft.broken : draft.absurd) = true;
    say(write_publication(draft));
    return;
  }
  const Publication& before = model_.publications()[dice.below(model_.publications().size())];
  if (before.fate != Fate::kept || before.only_for) return;
  draft.publisher = before.publisher;
  draft.id = before.id;
  draft.content = "content-" + std::to_string(++last_id_);
  Publication other = write_publication(draft);
  other.taste = before.taste;
  if (dice.one_in(2)) other.on_reuse = wire::OnReuse::mark_and_keep;
  say(std::move(other));
}

/// Of a type that most receivers want.
Publication World::write_some(Dice& dice) {
  Draft draft;
  draft.publisher = dice.number_below(2);
  draft.id = "event-" + std::to_string(++last_id_);
  draft.type = dice.one_in(2) ? event::EventType::admission : event::EventType::referral;
  draft.child = 1 + dice.number_below(kChildren);
  return write_publication(draft);
}

void World::publish_disliked(Dice& dice) {
  Publication publication = write_some(dice);
  publication.taste[dice.below(kInterests)] =
      std::array{Taste::rejected, Taste::failing, Taste::poison}[dice.below(3)];
  say(std::move(publication));
}

void World::publish_link(Dice& dice) {
  Draft draft;
  draft.publisher = dice.number_below(2);
  draft.id = "event-" + std::to_string(++last_id_);
  draft.type = dice.one_in(2) ? event::EventType::identity_link : event::EventType::identity_merge;
  draft.child = 1 + dice.number_below(kChildren);
  draft.other = 1 + (draft.child + dice.number_below(kChildren - 1)) % kChildren;
  draft.taken_back = dice.one_in(3);
  say(write_publication(draft));
}

void World::change_mood(Dice& dice) {
  Subscriber& subscriber = some_subscriber(dice);
  const Mood mood = dice.one_in(2) ? Mood::well : static_cast<Mood>(dice.below(4));
  if (mood == Mood::failing && subscriber.mood() != mood) model_.outage(subscriber.interest());
  subscriber.feel(mood);
  verdict_.tell(
      std::string("the receiver of ") + subscriber.interest().name + " is " +
      std::array{"well", "unavailable", "failing everything", "silent"}[static_cast<std::size_t>(mood)]);
}

void World::change_rate(Dice& dice) {
  constexpr std::array<std::uint32_t, 4> rates = {0, 20, 90, 300};
  Subscriber& subscriber = some_subscriber(dice);
  subscriber.want_rate(rates[dice.below(rates.size())]);
  subscriber.leave(dice);
}

void World::lie(Dice& dice) {
  Subscriber& liar = *subscribers_[kPriory];
  switch (dice.below(3)) {
    case 0: return liar.ack_all();
    case 1: return liar.ask_for_everything();
    default: return liar.unsubscribe();
  }
}

void World::change_wall_clock(Dice& dice) {
  model_.wall_clock_set();
  clock_.set({clock_.now().us + dice.between(-2 * 3'600 * kSecondUs, 2 * 3'600 * kSecondUs)});
}

void World::act(const Action& action) {
  Dice dice(action.dice);
  if (action.kind != Kind::nothing && action.kind != Kind::publish)
    verdict_.tell(std::string("-- ") + name_of(action.kind));
  switch (action.kind) {
    case Kind::publish: return publish(dice);
    case Kind::repeat: return publishers_[dice.below(2)]->come_back_with_old_state(dice);
    case Kind::odd: return publish_odd(dice);
    case Kind::distaste: return publish_disliked(dice);
    case Kind::link: return publish_link(dice);
    case Kind::rest: return pass(dice.between(5, 70) * kSecondUs);
    case Kind::suspend: clock_.advance_ms(dice.between(5'000, 10'000'000)); return;
    case Kind::leave: return some_session(dice).leave(dice);
    case Kind::away: {
      Session& session = some_session(dice);
      if (dice.one_in(2)) {
        session.stay_away(true);
        session.leave(dice);
      } else if (&session != twin_.get() && (setup_.night || &session != subscribers_[kNight].get())) {
        session.stay_away(false);
      }
      return;
    }
    case Kind::mood: return change_mood(dice);
    case Kind::credit: return some_subscriber(dice).want(static_cast<std::uint32_t>(1 + dice.below(40)));
    case Kind::rate: return change_rate(dice);
    case Kind::lie: return lie(dice);
    case Kind::rogue: return rogue_.misbehave(dice);
    case Kind::old_state: return some_subscriber(dice).come_back_with_old_state(dice);
    case Kind::twin: return twin_->stay_away(dice.one_in(2));
    case Kind::wall_clock: return change_wall_clock(dice);
    case Kind::operate: return operate(dice);
    case Kind::mend: return mend(dice);
    case Kind::pause: return pause_or_resume(dice);
    case Kind::reset: return reset(dice);
    case Kind::remove: return remove(dice);
    case Kind::configure: return configure(dice);
    case Kind::replay_into: return replay_into(dice);
    case Kind::erase: return erase(dice);
    case Kind::old_vault: return handle_vault(dice);
    case Kind::watch:
    case Kind::replay: return ask_about_history(action.kind, dice);
    case Kind::cut:
    case Kind::slow:
    case Kind::deaf:
    case Kind::double_frame:
    case Kind::swap_frames:
    case Kind::drop_frame: return act_on_network(action.kind, dice);
    case Kind::stall:
    case Kind::fail_sync:
    case Kind::crash:
    case Kind::lose_state:
    case Kind::vault_full: return act_on_hub(action.kind, dice);
    default: return;
  }
}

void World::act_on_network(Kind kind, Dice& dice) {
  if (kind == Kind::double_frame || kind == Kind::swap_frames || kind == Kind::drop_frame)
    model_.answers_uncertain();
  if (kind == Kind::double_frame) return network_.double_frame(dice);
  if (kind == Kind::swap_frames) return network_.swap_frames(dice);
  if (kind == Kind::drop_frame) return network_.drop_frame(dice);
  const auto live = network_.live();
  if (live.empty()) return;
  const LinkId link = live[dice.below(live.size())];
  if (kind == Kind::cut) return network_.cut(link, dice);
  if (kind == Kind::slow)
    return network_.slow_down(link, dice.one_in(3) ? 0 : dice.between(0, 3 * kSecondUs));
  network_.stop_reading(link, dice.one_in(2));
}

void World::act_on_hub(Kind kind, Dice& dice) {
  switch (kind) {
    case Kind::stall: return stall(dice);
    case Kind::fail_sync: return hub_.fail_sync();
    case Kind::vault_full:
      (dice.one_in(2) ? vault_full_until_us_ : vault_stuck_until_us_) =
          clock_.steady_us() + dice.between(0, (dice.one_in(4) ? 90 : 5) * kSecondUs);
      return;
    case Kind::crash: hub_.crash(dice); break;
    default: hub_.lose_state(dice); break;
  }
  model_.hub_crashed();
}

/// For so long, now and then, that publishers have to be told.
void World::stall(Dice& dice) {
  const bool long_one = dice.one_in(2);
  stalled_until_us_ = clock_.steady_us() + (long_one ? dice.between(3, 9) : dice.between(0, 3)) * kSecondUs;
  if (!long_one) return;
  for (int each = 0; each < 6 && !verdict_.failed(); ++each) {
    publish(dice);
    pass(dice.between(1, 3) * 500 * kMillisecondUs);
  }
}

/// As long as it takes, with everybody going on meanwhile.
void World::pass(std::int64_t us) {
  constexpr std::int64_t kSliceMs = 500;
  Dice dice(static_cast<std::uint64_t>(us));
  for (std::int64_t passed = 0; passed < us && !verdict_.failed(); passed += kSliceMs * kMillisecondUs) {
    clock_.advance_ms(kSliceMs);
    turn(dice);
  }
}

void World::turn(Dice& dice) {
  clock_.advance_ms(dice.one_in(8) ? dice.between(0, 400) : dice.between(0, 20));
  hub_.vault().be_full(clock_.steady_us() < vault_full_until_us_);
  hub_.vault().be_stuck(clock_.steady_us() < vault_stuck_until_us_);
  for (Session* session : sessions_) {
    if (!dice.one_in(4)) session->turn(dice);
  }
  if (!hub_.up() && dice.one_in(3)) start_hub();
  if (!dice.one_in(8)) step_hub();
  if (!dice.one_in(4)) hub_.seal_one();
  if (!dice.one_in(4)) sync_hub();
  if (!dice.one_in(4)) hub_.write_state();
  if (dice.one_in(2)) hub_.look_for_copies();
  if (dice.one_in(2)) step_hub();
}

void World::start_hub() {
  if (hub_.up()) return;
  hub_.start();
  if (hub_.up()) model_.hub_started();
}

void World::step_hub() {
  if (!hub_.up() || verdict_.failed()) return;
  const bool all_synced = hub_.all_synced();
  model_.hub_steps(all_synced && hub_.statistics().sends_held_back == 0);
  hub_.step();
  stepped_since_sync_ = true;
  if (hub_.up()) {
    model_.hub_stepped();
    if (all_synced) model_.nothing_held_back();
    check_bounds();
  } else {
    model_.hub_crashed();
  }
}

/// One write at a time, so that what leaves after it is what was decided with it.
void World::sync_hub() {
  if (!stepped_since_sync_ || clock_.steady_us() < stalled_until_us_ || !hub_.sync_one()) return;
  stepped_since_sync_ = false;
  model_.read_ledger();
}

void World::check_bounds() {
  if (hub_.unsynced() > limits::kUnsyncedBatchesMax + 1)
    verdict_.broken("no more is decided than syncs and one batch ahead", std::to_string(hub_.unsynced()));
}

void World::heal(Dice& dice) {
  // With a limit of its own a channel may take less than the drain publishes to get others on.
  const bool limited = std::ranges::any_of(setup_.rates, [](auto rate) { return rate != 0; });
  if (!setup_.holm || limited) {
    setup_.holm = true;
    setup_.rates = {};
    restart_with_setup(dice);
  }
  network_.calm();
  for (const auto& subscriber : subscribers_) subscriber->want_rate(0);
  stalled_until_us_ = vault_full_until_us_ = vault_stuck_until_us_ = 0;
  twin_->stay_away(true);
  for (Session* session : sessions_) {
    const bool absent = session == twin_.get() || (!setup_.night && session == subscribers_[kNight].get());
    if (!absent) session->stay_away(false);
    session->leave(dice);
  }
  for (const auto& subscriber : subscribers_) subscriber->forget_old_state(dice);
  network_.calm();
  for (const auto& subscriber : subscribers_) {
    subscriber->feel(Mood::well);
    subscriber->want(32);
  }
}

bool World::drained(const Subscriber* except) const {
  for (const auto& publisher : publishers_) {
    if (publisher->waiting() > 0) return false;
  }
  for (const auto& subscriber : subscribers_) {
    if (subscriber.get() == except) continue;
    const Interest& interest = subscriber->interest();
    if (!model_.exists(interest)) {
      if (expected(interest)) return false;
      continue;
    }
    if (model_.open(interest) > 0 || model_.paused(interest) || model_.moving(interest)) return false;
  }
  for (const Interest* replay : model_.replays()) {
    if (except == nullptr || replay->number != except->interest().number) return false;
  }
  return hub_.unsynced() == 0 && !model_.has_keys_left();
}

void World::publish_fresh(Dice& dice) {
  Draft draft;
  draft.publisher = dice.number_below(2);
  draft.id = "event-" + std::to_string(++last_id_);
  // Whatever its filter, each subscription gets one of these.
  draft.type = dice.one_in(2) ? event::EventType::admission : event::EventType::safeguarding_flag;
  draft.child = kChildren + 1 + dice.number_below(3);
  say(write_publication(draft));
}

void World::drain_turn(Dice& dice) {
  clock_.advance_ms(dice.between(1, 600));
  hub_.vault().be_full(false);
  hub_.vault().be_stuck(false);
  for (Session* session : sessions_) session->turn(dice);
  start_hub();
  for (int each = 0; each < 3; ++each) {
    step_hub();
    hub_.seal_one();
    sync_hub();
    hub_.write_state();
    hub_.look_for_copies();
  }
}

void World::drain(const char* promise, const Subscriber* except, Dice& dice) {
  constexpr int kTurnsMax = 6'000;
  for (int turns = 0; turns < kTurnsMax && !verdict_.failed(); ++turns) {
    if (turns > 20 && drained(except)) return;
    // A failing event is given up only while others are taken.
    const bool stuck = std::any_of(subscribers_.begin(), subscribers_.end(), [&](const auto& subscriber) {
      return subscriber.get() != except && model_.stuck(subscriber->interest()) > 0;
    });
    if (stuck && dice.one_in(3)) publish_fresh(dice);
    resume_all(dice);
    end_replays(dice);
    drain_turn(dice);
  }
  if (verdict_.failed()) return;
  std::string how;
  for (const auto& publisher : publishers_) {
    if (publisher->waiting() > 0)
      how += std::to_string(publisher->waiting()) + " publications without an outcome; ";
  }
  for (const auto& subscriber : subscribers_) {
    if (subscriber.get() == except) continue;
    if (!model_.exists(subscriber->interest())) {
      if (expected(subscriber->interest()))
        how += std::string(subscriber->interest().name) + " was never made; ";
      continue;
    }
    if (model_.paused(subscriber->interest()))
      how += std::string(subscriber->interest().name) + " is paused; ";
    if (model_.moving(subscriber->interest()))
      how += std::string(subscriber->interest().name) + " has not come to its end; ";
    if (model_.open(subscriber->interest()) > 0) how += model_.describe_open(subscriber->interest()) + "; ";
  }
  for (const Interest* replay : model_.replays()) {
    if (except == nullptr || replay->number != except->interest().number)
      how += std::string(replay->name) + " has not ended; ";
  }
  if (model_.has_keys_left()) how += "keys that are erased on record are in the vault; ";
  verdict_.broken(promise, how);
}

/// Whatever is acked, its reader has.
void World::check_taken(const Subscriber& reader, const Interest& stream) {
  for (const Sequence sequence : model_.acked(stream)) {
    const bool twins = stream.number == 0 && twin_->has_taken(stream.name, sequence);
    if (reader.has_taken(stream.name, sequence) || twins) continue;
    return verdict_.broken("every matching subscription gets every event",
                           std::string(stream.name) + ": nobody took event " + std::to_string(sequence));
  }
}

void World::repeat_everything(Dice& dice) {
  for (const auto& subscriber : subscribers_) {
    if (!subscriber->interest().honest) continue;
    check_taken(*subscriber, subscriber->interest());
  }
  for (const Interest* replay : model_.every_replay()) {
    if (replay->honest) check_taken(*subscribers_[replay->number], *replay);
  }
  verdict_.tell("everything is published again");
  for (const auto& publisher : publishers_) publisher->repeat_all();
  drain("the same message gets the old receipt", nullptr, dice);
}

void World::compare_rebuilt_state(Dice& dice) {
  // How many messages came again is written down by itself, a while later, and its rows a while after that.
  for (int each = 0; each < 50 || (each < 500 && !hub_.has_written_rows()); ++each) drain_turn(dice);
  const auto live = hub_.rows();
  hub_.lose_state(dice);
  model_.hub_crashed();
  start_hub();
  const auto rebuilt = hub_.rows();
  const auto same = [](const storage::Row& left, const storage::Row& right) {
    return left.key == right.key && left.value == right.value;
  };
  if (!std::equal(live.begin(), live.end(), rebuilt.begin(), rebuilt.end(), same))
    verdict_.broken("the state is a fold of the ledger",
                    std::to_string(live.size()) + " rows, rebuilt " + std::to_string(rebuilt.size()));
}

void play(const Plan& plan, Verdict& verdict) {
  World world(plan.seed, verdict);
  world.run(plan);
}

}  // namespace carehub::simulation
