#pragma once

#include <memory>

#include "tests/simulation/client.hpp"
#include "tests/simulation/model.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/visitors.hpp"

namespace carehub::simulation {

/// Everything together: one plan is played to its end, then the faults stop, and whatever was promised must
/// have come.
class World {
 public:
  World(std::uint64_t seed, Verdict& verdict);

  void run(const Plan& plan);

 private:
  void act(const Action& action);
  void publish(Dice& dice);
  void publish_odd(Dice& dice);
  Publication write_some(Dice& dice);
  void publish_disliked(Dice& dice);
  void publish_refused(Dice& dice);
  void publish_link(Dice& dice);
  Publication& say(Publication publication);
  void change_mood(Dice& dice);
  void change_rate(Dice& dice);
  void lie(Dice& dice);
  void change_wall_clock(Dice& dice);
  // What people do (world_people.cpp)
  void operate(Dice& dice);
  void send_some_again(Dice& dice);
  void pause_or_resume(Dice& dice);
  void reset(Dice& dice);
  void remove(Dice& dice);
  void resume_all(Dice& dice);
  void configure(Dice& dice);
  void change_night_desk(Dice& dice);
  void restart_with_setup(Dice& dice);
  void ask_about_history(Kind kind, Dice& dice);
  void replay_into(Dice& dice);
  void mend(Dice& dice);
  void mend(const Interest& interest, Sequence dead, Dice& dice);
  void end_replays(Dice& dice);
  /// A subscription, or as likely a replay into one where there is any.
  const Interest& some_stream(Dice& dice) const;
  void erase(Dice& dice);
  void handle_vault(Dice& dice);
  /// hub.toml has its channel, or its reader makes it.
  bool expected(const Interest& interest) const;

  void act_on_network(Kind kind, Dice& dice);
  void act_on_hub(Kind kind, Dice& dice);
  void stall(Dice& dice);
  void pass(std::int64_t us);

  void turn(Dice& dice);
  void start_hub();
  void step_hub();
  void sync_hub();
  void check_bounds();

  void heal(Dice& dice);
  bool drained(const Subscriber* except) const;
  void drain(const char* promise, const Subscriber* except, Dice& dice);
  void drain_turn(Dice& dice);
  void publish_fresh(Dice& dice);
  void check_taken(const Subscriber& reader, const Interest& stream);
  void repeat_everything(Dice& dice);
  void compare_rebuilt_state(Dice& dice);

  Session& some_session(Dice& dice);
  Subscriber& some_subscriber(Dice& dice);

  Verdict& verdict_;
  fakes::HandClock clock_;
  Model model_;
  Network network_;
  Hub hub_;
  std::vector<std::unique_ptr<Publisher>> publishers_;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  std::unique_ptr<Subscriber> twin_;
  Rogue rogue_;
  Operator operator_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  Setup setup_;
  std::vector<Session*> sessions_;
  std::uint64_t last_id_ = 0;
  bool stepped_since_sync_ = true;
  std::int64_t stalled_until_us_ = 0;
  std::int64_t vault_full_until_us_ = 0;
  std::int64_t vault_stuck_until_us_ = 0;
};

/// Plays it from the start.
void play(const Plan& plan, Verdict& verdict);

}  // namespace carehub::simulation
