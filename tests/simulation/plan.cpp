#include "tests/simulation/plan.hpp"

#include <algorithm>
#include <array>

#include "tests/simulation/dice.hpp"

namespace carehub::simulation {
namespace {

constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::count);

/// How often each kind happens at most; what is not a fault always does.
constexpr std::array<std::uint64_t, kKinds> kWeights = {
    40,                 // nothing
    40,                 // publish
    4,  4, 5, 6,        // repeat odd distaste link
    3,  1,              // rest suspend
    4,  4, 3, 4, 3,     // cut slow deaf leave away
    5,  3, 4, 4, 5, 2,  // mood credit rate lie rogue twin
    5,  1, 3, 1, 2,     // stall fail_sync crash lose_state vault_full
    2,  8, 8,           // wall_clock operate mend
    6,  9, 4,           // pause reset remove
    3,  5, 2, 4, 3, 8,  // configure erase old_vault watch replay replay_into
    5,  5, 4,           // double swap drop
    8,                  // old state
};

constexpr std::size_t kAlways = 2;

}  // namespace

const char* name_of(Kind kind) {
  static constexpr std::array<const char*, kKinds> names = {
      "nothing",     "publish",      "repeat",      "odd",        "distaste",  "link",  "rest",
      "suspend",     "cut",          "slow",        "deaf",       "leave",     "away",  "mood",
      "credit",      "rate",         "lie",         "rogue",      "twin",      "stall", "fail sync",
      "crash",       "lose state",   "vault full",  "wall clock", "operate",   "mend",  "pause",
      "reset",       "remove",       "configure",   "erase",      "old vault", "watch", "replay",
      "replay into", "double frame", "swap frames", "drop frame", "old state"};
  return names[static_cast<std::size_t>(kind)];
}

Plan make_plan(std::uint64_t seed) {
  Dice dice(seed * 0x9E3779B97F4A7C15U + 1);
  std::array<std::uint64_t, kKinds> weights{};
  std::uint64_t total = 0;
  // Half of the faults, so that no fault hides behind another.
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    if (kind < kAlways) {
      weights[kind] = kWeights[kind];
    } else if (dice.one_in(2)) {
      weights[kind] = 1 + dice.below(kWeights[kind]);
    }
    total += weights[kind];
  }
  Plan plan;
  plan.seed = seed;
  const std::size_t length = 60 + dice.below(300);
  for (std::size_t each = 0; each < length; ++each) {
    std::uint64_t thrown = dice.below(total);
    std::size_t kind = 0;
    while (thrown >= weights[kind]) thrown -= weights[kind++];
    plan.actions.push_back({static_cast<Kind>(kind), dice.next()});
  }
  return plan;
}

Plan shorten(Plan plan, const std::function<bool(const Plan&)>& fails, std::size_t tries_max) {
  std::size_t tries = 0;
  const auto still_fails = [&](const Plan& shorter) { return tries++ < tries_max && fails(shorter); };
  // Whole kinds of faults first, then halves, quarters, and in the end single actions.
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    Plan without = plan;
    std::erase_if(without.actions, [&](const Action& each) { return each.kind == static_cast<Kind>(kind); });
    if (without.actions.size() < plan.actions.size() && still_fails(without)) plan = std::move(without);
  }
  for (std::size_t size = std::max<std::size_t>(plan.actions.size() / 2, 1); tries < tries_max;) {
    bool shortened = false;
    for (std::size_t from = 0; from < plan.actions.size() && tries < tries_max;) {
      Plan without = plan;
      const auto first = without.actions.begin() + static_cast<std::ptrdiff_t>(from);
      const auto count = std::min(size, without.actions.size() - from);
      without.actions.erase(first, first + static_cast<std::ptrdiff_t>(count));
      if (still_fails(without)) {
        plan = std::move(without);
        shortened = true;
      } else {
        from += size;
      }
    }
    if (size == 1 && !shortened) break;
    size = std::max<std::size_t>(size / 2, 1);
  }
  return plan;
}

}  // namespace carehub::simulation
