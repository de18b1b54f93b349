#include "tests/fakes/engine_harness.hpp"
#include "tests/simulation/world.hpp"

// What operators, whoever writes hub.toml and who asks about history do.

namespace carehub::simulation {

using wire::Position;
using wire::SubscriptionAction;

void World::operate(Dice& dice) {
  if (!operator_.welcomed()) return;
  const std::size_t from = dice.below(kInterests);
  for (std::size_t each = 0; each < kInterests; ++each) {
    const Interest& interest = interests()[(from + each) % kInterests];
    const auto sequence = model_.some_dead_letter(interest, dice);
    if (sequence) return operator_.handle(interest, *sequence, !dice.one_in(4));
  }
}

/// Once all is well: what was given up is tried again, and settled once more.
void World::send_some_again(Dice& dice) {
  for (int each = 0; each < 4 && operator_.welcomed(); ++each) operate(dice);
}

void World::pause_or_resume(Dice& dice) {
  if (!operator_.welcomed()) return;
  const Interest& interest = interests()[dice.below(kInterests)];
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
  const Interest& interest = interests()[dice.one_in(4) ? dice.below(kInterests) : kFlags + dice.below(2)];
  if (dice.one_in(2)) operator_.handle(interest, SubscriptionAction::reset, Position::now);
  operator_.handle(interest, SubscriptionAction::remove);
}

void World::resume_all(Dice& dice) {
  if (!operator_.welcomed() || !dice.one_in(20)) return;
  for (const Interest& interest : interests()) {
    if (model_.paused(interest)) operator_.handle(interest, SubscriptionAction::resume);
  }
}

void World::configure(Dice& dice) {
  switch (dice.below(6)) {
    case 0: subscribers_[kFlags]->want_other(); return subscribers_[kFlags]->leave(dice);
    case 1: setup_.policy = 1 - setup_.policy; break;
    case 2: setup_.tier4_wants = 1 - setup_.tier4_wants; break;
    case 3: setup_.holm = !setup_.holm; break;
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

bool World::expected(const Interest& interest) const { return interest.number != kNight || setup_.night; }

void World::ask_about_history(Kind kind, Dice& dice) {
  Watcher& watcher = *watchers_[dice.below(watchers_.size())];
  if (kind == Kind::watch) return watcher.watch(!dice.one_in(3));
  watcher.replay(model_.head(), dice);
}

}  // namespace carehub::simulation
