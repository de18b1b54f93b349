#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace carehub::simulation {

enum class Kind : std::uint8_t {
  nothing,     // time passes
  publish,     // a few events
  repeat,      // a publisher comes back with an old outbox
  odd,         // what is wrong, out of scope, or an identity with other content
  distaste,    // an event that one receiver does not like
  link,        // two children are one, or that is taken back
  rest,        // a minute or so
  suspend,     // every process and the network stand still for long, then go on
  cut,         // a connection
  slow,        // a connection
  deaf,        // a client's machine takes nothing in, or does again
  leave,       // a client hangs up or dies
  away,        // a client stays away, or may come back
  mood,        // how a receiver is
  credit,      // how much a subscriber takes at a time
  rate,        // how many a subscriber takes a minute
  lie,         // a subscriber answers for what it was not shown
  rogue,       // a client tries what it must not
  twin,        // two processes want one subscription
  stall,       // the ledger's disk takes its time
  fail_sync,   // the ledger's disk fails
  crash,       // the power goes
  lose_state,  // and the state with it
  vault_full,
  wall_clock,   // is set
  operate,      // on a dead letter
  mend,         // a dead letter
  pause,        // a subscription; or it is resumed
  reset,        // a subscription's cursor
  remove,       // a subscription
  configure,    // hub.toml or the policy is another from the next start on, which is now
  erase,        // all that is about a child; or what would go is looked at
  old_vault,    // the vault is copied, or a copy is put back
  watch,        // what comes, for as long as a connection lasts
  replay,       // history, to whoever asks
  replay_into,  // history, to a subscription's receiver
  double_frame,
  swap_frames,
  drop_frame,
  old_state,  // a subscriber is back with what it remembers of its connection before, which may still live
  count
};
const char* name_of(Kind kind);

/// One thing that happens, with the seed of all that is thrown for it.
struct Action {
  Kind kind = Kind::nothing;
  std::uint64_t dice = 0;
};

struct Plan {
  std::uint64_t seed = 0;
  std::vector<Action> actions;
};

/// One seed decides all: which faults there are in this run, how often, and what is thrown for each.
Plan make_plan(std::uint64_t seed);

/// The shortest plan it can find, by leaving actions out, for which `fails` still holds. `fails` is asked at
/// most `tries_max` times.
Plan shorten(Plan plan, const std::function<bool(const Plan&)>& fails, std::size_t tries_max);

}  // namespace carehub::simulation
