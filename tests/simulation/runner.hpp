#pragma once

#include <string>
#include <vector>

#include "tests/simulation/plan.hpp"

namespace carehub::simulation {

/// What became of one run.
struct Outcome {
  bool failed = false;
  std::string promise;  // that was broken
  std::string how;
  std::vector<std::string> history;  // where it was asked for
};

/// Plays the plan in a process of its own: an assertion of the hub's ends that run alone.
Outcome run_apart(const Plan& plan, bool tells);

/// The failing run made as short as it gets while the same promise breaks, as text for a person.
std::string explain(const Plan& failing, const Outcome& outcome);

}  // namespace carehub::simulation
