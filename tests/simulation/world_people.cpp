#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/world.hpp"

// What operators, whoever writes hub.toml and who asks about history do.

namespace carehub::simulation {

using wire::Position;
using wire::SubscriptionAction;

void World::operate(Dice& dice) {
  if (!operator_.welcomed()) return;
  for (const Interest* replay : model_.replays()) {
    const auto sequence = model_.some_dead_letter(*replay, dice);
    if (sequence && dice.one_in(2)) return operator_.handle(*replay, *sequence, dice.one_in(2));
  }
  const std::size_t from = dice.below(kInterests);
  for (std::size_t each = 0; each < kInterests; ++each) {
    const Interest& interest = interests()[(from + each) % kInterests];
    const auto sequence = model_.some_dead_letter(interest, dice);
    if (sequence) return operator_.handle(interest, *sequence, !dice.one_in(4));
  }
}

/// Whose receivers refuse it, each of them.
void World::publish_refused(Dice& dice) {
  Publication publication = write_some(dice);
  publication.taste.fill(Taste::rejected);
  say(std::move(publication));
}

/// A dead letter is corrected; or what is no correction of it is tried. Where there is none, there soon is.
void World::mend(Dice& dice) {
  if (!operator_.welcomed()) return;
  const std::size_t from = dice.below(kInterests);
  for (std::size_t each = 0; each < kInterests; ++each) {
    const Interest& interest = interests()[(from + each) % kInterests];
    if (const auto dead = model_.some_dead_letter(interest, dice)) return mend(interest, *dead, dice);
  }
  publish_refused(dice);
}

void World::mend(const Interest& interest, Sequence dead, Dice& dice) {
  const Publication& original = *model_.publication_at(dead);
  Draft draft;
  draft.publisher = original.publisher;
  draft.id = "mended-" + std::to_string(++last_id_);
  draft.type = original.type;
  draft.child = original.child;
  draft.tier = original.tier;
  const std::uint64_t odd = dice.below(8);
  if (odd == 0) draft.publisher = 1 - draft.publisher;
  if (odd == 1) draft.child = 1 + draft.child % kChildren;
  if (odd == 2) draft.absurd = true;
  if (odd == 3) {
    const bool referral = draft.type == event::EventType::referral;
    draft.type = referral ? event::EventType::admission : event::EventType::referral;
  }
  Publication publication = write_publication(draft);
  if (odd < 4) publication.fate = Fate::refused;
  if (dice.one_in(4)) publication.taste[interest.number] = Taste::rejected;
  const Publication& said = model_.add_mend(std::move(publication), interest, dead);
  operator_.mend(interest, dead, said.event);
  if (dice.one_in(3)) operator_.mend(interest, dead, said.event);
}

/// Once all is well: what was given up is tried again or mended, and settled once more.
void World::send_some_again(Dice& dice) {
  for (int each = 0; each < 4 && operator_.welcomed(); ++each) dice.one_in(3) ? mend(dice) : operate(dice);
}

void World::pause_or_resume(Dice& dice) {
  if (!operator_.welcomed()) return;
  const Interest& interest = some_stream(dice);
  operator_.handle(interest, dice.one_in(2) ? SubscriptionAction::pause : SubscriptionAction::resume);
}

void World::reset(Dice& dice) {
  if (!operator_.welcomed()) return;
  const Interest& interest = interests()[dice.below(kInterests)];
  const Sequence head = model_.head();
  switch (dice.below(8)) {
    case 0: return operator_.handle(interest, SubscriptionAction::reset, Position::beginning);
    case 1:
    case 2: return operator_.handle(interest, SubscriptionAction::reset, Position::now);
    case 3:
      return operator_.handle(interest, SubscriptionAction::reset, Position::time, 0,
                              clock_.now().us - dice.between(-10, 90) * kSecondUs);
    default: {
      const Sequence back = std::min<Sequence>(head, dice.below(80));
      return operator_.handle(interest, SubscriptionAction::reset, Position::sequence, head + 1 - back);
    }
  }
}

/// What a client made goes once nothing waits for it: often it is skipped first.
void World::remove(Dice& dice) {
  if (!operator_.welcomed()) return;
  if (const auto replays = model_.replays(); !replays.empty() && dice.one_in(2))
    return operator_.handle(*replays[dice.below(replays.size())], SubscriptionAction::remove);
  const Interest& interest = interests()[dice.one_in(4) ? dice.below(kInterests) : kFlags + dice.below(2)];
  if (dice.one_in(2)) operator_.handle(interest, SubscriptionAction::reset, Position::now);
  operator_.handle(interest, SubscriptionAction::remove);
}

void World::resume_all(Dice& dice) {
  if (!operator_.welcomed() || !dice.one_in(20)) return;
  for (const Interest& interest : interests()) {
    if (model_.paused(interest)) operator_.handle(interest, SubscriptionAction::resume);
  }
  for (const Interest* replay : model_.replays()) {
    if (model_.paused(*replay)) operator_.handle(*replay, SubscriptionAction::resume);
  }
}

void World::configure(Dice& dice) {
  switch (dice.below(7)) {
    case 0: subscribers_[kFlags]->want_other(); return subscribers_[kFlags]->leave(dice);
    case 1: setup_.policy = 1 - setup_.policy; break;
    case 2: setup_.tier4_wants = 1 - setup_.tier4_wants; break;
    case 3:
      setup_.holm = !setup_.holm;
      if (dice.one_in(3)) subscribers_[kHolm]->want_other();
      break;
    case 4: setup_.rates[dice.one_in(2) ? kDesk : kTier4] = dice.one_in(3) ? 0 : 120; break;
    default: change_night_desk(dice); break;
  }
  restart_with_setup(dice);
}

/// A channel that starts in history when its name first appears.
void World::change_night_desk(Dice& dice) {
  using Start = core::StartAt::Kind;
  setup_.night = !setup_.night;
  const Sequence head = model_.head();
  setup_.night_start = {static_cast<Start>(dice.below(4)),
                        dice.one_in(3) ? head + 1 + dice.below(60) : 1 + dice.below(head + 1),
                        clock_.now().us - dice.between(-20, 120) * kSecondUs};
  subscribers_[kNight]->stay_away(!setup_.night);
}

void World::erase(Dice& dice) {
  if (!operator_.welcomed()) return;
  std::string person = "nhs:" + fakes::test_nhs_number(1 + dice.number_below(kChildren));
  if (dice.one_in(3)) {
    if (const auto entry = model_.some_entry_to_erase(dice.one_in(2), dice))
      person = "sequence:" + std::to_string(*entry);
  }
  operator_.erase(std::move(person), dice.one_in(4));
}

/// Whoever looks after the machine copies the vault, throws copies away, or puts one back between two lives
/// of the hub. One that is older than entries of the ledger must be refused, and then the newest is put back.
void World::handle_vault(Dice& dice) {
  BlockVault& vault = hub_.vault();
  if (dice.one_in(2)) return vault.copy();
  if (dice.one_in(3)) return vault.throw_copies_away();
  if (vault.copies() == 0) return;
  hub_.crash(dice);
  model_.hub_crashed();
  vault.put_back(dice.below(vault.copies()));
  verdict_.tell("an older vault is put back");
  if (!model_.is_too_old(vault)) return;
  hub_.lose_state(dice);
  if (!hub_.refuses_to_start())
    verdict_.broken("a vault that is older than its ledger is refused", "the hub starts with one");
  vault.put_newest_back();
}

void World::restart_with_setup(Dice& dice) {
  hub_.crash(dice);
  model_.hub_crashed();
  hub_.configure(setup_);
  model_.configured(setup_);
}

const Interest& World::some_stream(Dice& dice) const {
  const auto replays = model_.replays();
  if (!replays.empty() && dice.one_in(2)) return *replays[dice.below(replays.size())];
  return interests()[dice.below(kInterests)];
}

/// What it goes into may be paused meanwhile.
void World::replay_into(Dice& dice) {
  if (!operator_.welcomed()) return;
  const Interest& interest = interests()[dice.below(kInterests)];
  operator_.replay_into(interest, model_.head(), clock_.now().us, dice);
  if (dice.one_in(3)) operator_.replay_into(interest, model_.head(), clock_.now().us, dice);
  if (dice.one_in(4)) operator_.handle(interest, SubscriptionAction::pause);
}

/// A dead letter keeps a replay, and what fails keeps it where nothing else of it is taken.
void World::end_replays(Dice& dice) {
  if (!operator_.welcomed() || !dice.one_in(30)) return;
  for (const Interest* replay : model_.replays()) {
    if (const auto sequence = model_.some_dead_letter(*replay, dice)) {
      operator_.handle(*replay, *sequence, false);
    } else if (model_.waits_for_ever(*replay)) {
      operator_.handle(*replay, SubscriptionAction::remove);
    }
  }
}

bool World::expected(const Interest& interest) const { return interest.number != kNight || setup_.night; }

void World::ask_about_history(Kind kind, Dice& dice) {
  Watcher& watcher = *watchers_[dice.below(watchers_.size())];
  if (kind == Kind::watch) return watcher.watch(!dice.one_in(3));
  watcher.replay(model_.head(), dice);
}

}  // namespace carehub::simulation
