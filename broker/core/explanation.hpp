#pragma once

#include <string>
#include <vector>

#include "broker/core/policy.hpp"

/// Why a role sees what it sees of one event, in words and without any of its values.
namespace carehub::core {

/// What becomes of one field in the view. `hidden`: the rule shows it, a mark of a protected child or to whom
/// one writes does not.
enum class Seen : std::uint8_t { shown, coarsened, hidden, withheld };
const char* word_of(Seen seen);

struct ExplainedField {
  std::string path;
  Seen seen = Seen::withheld;
  std::string why;
  const CoarsenedField* coarsened = nullptr;  // of its rule: how, where it is coarsened
};

struct ExplainedRule {
  const DisclosureRule* rule = nullptr;
  std::string why;  // it decides, or does not
};

struct Explanation {
  const DisclosureRule* rule = nullptr;  // that decides; nullptr: nothing is shown
  std::vector<ExplainedField> fields;    // that the event has, in schema order
  std::vector<ExplainedRule> rules;      // of the role, in the policy's order
};

/// Says of each field what redact() does to it under the rule that decides. `event` must have passed the
/// verifier; agreements are judged by the time `at`; the rules are the policy's, which outlives the
/// explanation.
Explanation explain(const Policy& policy, const std::string& role, const Agency& agency,
                    const event::Event& event, const KnownChild& known, Timestamp at);

/// The same for fields under one rule. `marks`: the event's and the child's.
std::vector<ExplainedField> explain_fields(const DisclosureRule& rule, const event::Event& event,
                                           RestrictionSet marks);

}  // namespace carehub::core
