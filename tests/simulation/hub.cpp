#include "tests/simulation/hub.hpp"

#include "broker/care/erasure_search.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/server/erasures.hpp"

namespace carehub::simulation {

Hub::Hub(std::uint64_t seed, std::size_t state_rows_min, fakes::HandClock& clock, Network& network,
         Verdict& verdict)
    : clock_(clock),
      network_(network),
      verdict_(verdict),
      random_(seed),
      store_(std::make_unique<storage::MemoryStateStore>()),
      vault_(random_),
      reader_(vault_, random_),
      state_rows_min_(state_rows_min) {
  ledger_.hold();
}

Hub::~Hub() {
  stop();
  ledger_.crash();
}

void Hub::start() {
  if (up()) return;
  const auto started = try_start();
  if (started) {
    verdict_.tell("the hub is up at entry " + std::to_string(ledger_.head()));
    return;
  }
  stop();
  ledger_.crash();
  ledger_.hold();
  verdict_.tell("the hub does not start: " + started.error().text);
  if (started.error().kind != ErrorKind::unavailable)
    verdict_.broken("a hub starts on what a crash has left", started.error().text);
}

Result<void> Hub::try_start() {
  sealer_ = std::make_unique<storage::Sealer>(vault_, random_);
  state_ = std::make_unique<care::State>(*store_, ledger_, *sealer_);
  if (auto caught_up = state_->catch_up({}); !caught_up) return caught_up;
  if (auto finished = server::finish_erasures(*state_, vault_); !finished)
    return tl::unexpected(finished.error());
  engine_ = std::make_unique<core::Engine>(*state_, *state_, vault_, random_);
  auto known = state_->engine_state();
  if (!known) return tl::unexpected(known.error());
  core::Decision decision;
  const core::HubRules rules = rules_of_county(setup_);
  if (auto started = engine_->start(rules, std::move(*known), clock_.now(), decision); !started)
    return started;
  known = state_->engine_state();
  if (!known) return tl::unexpected(known.error());
  auto policy =
      core::Disclosure::parse_policy(rules.policy_text, rules.policy_file, known->policies.back().version);
  if (!policy) return tl::unexpected(policy.error());
  history_ = std::make_unique<care::History>(*state_, ledger_, *sealer_, *store_, vault_, rules.agencies);
  history_->use_policy(std::move(*policy));
  server::LoopParts parts{network_, *engine_, *state_, *history_, ledger_, *sealer_, clock_, "simulated"};
  parts.seal_apart = [this](std::function<void()> work) { seal_work_.push_back(std::move(work)); };
  parts.search = [this](std::string person) {
    return std::make_unique<care::ErasureSearch>(ledger_, *sealer_, *store_, vault_, std::move(person));
  };
  parts.look_apart = [this](std::function<void()> work) { copies_work_.push_back(std::move(work)); };
  loop_ = std::make_unique<server::Loop>(std::move(parts));
  state_->set_pace({state_rows_min_,
                    [this](std::function<void()> work) { state_work_.push_back(std::move(work)); }, [] {}});
  return loop_->begin(std::move(decision));
}

void Hub::stop() {
  seal_work_.clear();
  copies_work_.clear();
  // A write that is under way ends; how much of it lasts, the state's disk decides.
  while (write_state()) {
  }
  loop_.reset();
  history_.reset();
  engine_.reset();
  state_.reset();
  sealer_.reset();
}

void Hub::step() {
  if (!up()) return;
  if (const auto stepped = loop_->step(0); !stepped) {
    verdict_.tell("the hub stops: " + stepped.error().text);
    if (stepped.error().kind != ErrorKind::unavailable)
      verdict_.broken("a hub stops for its disks alone", stepped.error().text);
    Dice none(1);
    crash(none);
  }
}

bool Hub::sync_one() {
  if (ledger_.held() == 0) return false;
  ledger_.release_one();
  return true;
}

bool Hub::seal_one() {
  if (seal_work_.empty()) return false;
  const auto work = std::move(seal_work_.front());
  seal_work_.pop_front();
  work();
  return true;
}

bool Hub::look_for_copies() {
  if (copies_work_.empty()) return false;
  const auto work = std::move(copies_work_.front());
  copies_work_.pop_front();
  work();
  return true;
}

bool Hub::write_state() {
  if (state_work_.empty()) return false;
  const auto work = std::move(state_work_.front());
  state_work_.pop_front();
  work();
  return true;
}

bool Hub::refuses_to_start() {
  const auto started = try_start();
  stop();
  ledger_.crash();
  ledger_.hold();
  return !started && started.error().kind == ErrorKind::corrupt;
}

void Hub::fail_sync() {
  if (!up()) return;
  verdict_.tell("a sync fails");
  ledger_.fail_sync();
}

void Hub::crash(Dice& dice) {
  stop();
  network_.hub_died();
  // What was written and not synced may be there all the same, oldest first; nobody was told.
  const std::size_t survived = dice.below(ledger_.held() + 1);
  verdict_.tell("the power goes; of " + std::to_string(ledger_.held()) + " unsynced writes " +
                std::to_string(survived) + " survive");
  for (std::size_t each = 0; each < survived; ++each) ledger_.release_one();
  ledger_.crash();
  ledger_.hold();
  store_->crash(dice.below(store_->unsynced() + 1));
  vault_.crash(dice);
}

void Hub::lose_state(Dice& dice) {
  crash(dice);
  verdict_.tell("the state is lost");
  store_ = std::make_unique<storage::MemoryStateStore>();
}

std::vector<storage::Row> Hub::rows() const {
  auto all = store_->scan("", "", 10'000'000);
  return all ? std::move(*all) : std::vector<storage::Row>();
}

}  // namespace carehub::simulation
