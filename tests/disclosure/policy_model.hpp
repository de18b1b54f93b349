#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/rules.hpp"
#include "schemas/event_generated.h"
#include "tests/disclosure/marked_event.hpp"

/// What a policy means, said once more in plain words: written as a policy's text, and read without the hub's
/// own reader, its rules or its redaction. Events are what their values say.
namespace carehub::disclosure {

struct ModelAgreement {
  std::string name;
  std::vector<std::string> parties;
  std::string from;  // 2020-01-01
  std::string until;
};

struct ModelCoarsening {
  std::string path;
  std::string how;
  std::string by;  // of `replaced`
};

struct ModelRule {
  std::string name = {};
  std::string role = {};
  std::set<std::string> types = {};  // empty: all
  std::set<int> tiers = {};          // empty: any
  std::optional<int> age_min = {};   // birthdays
  std::optional<int> age_max = {};
  std::set<std::string> relationships = {};     // empty: none is needed
  std::set<std::string> home_authorities = {};  // empty: any
  std::string consent = "not_refused";
  std::set<std::string> consent_scopes = {};  // empty: each matters
  std::string agreement = {};
  std::vector<std::string> show = {};  // "*": everything
  std::vector<ModelCoarsening> coarsen = {};
  std::set<std::string> sees_restricted = {};
  bool addressee_only = false;
  bool needs_broken_glass = false;

  bool same_condition(const ModelRule& other) const;
};

/// The events of a child that count when one of them is decided about, in the ledger's order.
using Said = std::vector<const MarkedEvent*>;

enum class Fate { shown, coarsened, withheld };

/// Of every policy here: from these years on one writes to the young person, and theirs is the word on
/// consent.
constexpr int kYoungPersonFrom = 16;

class PolicyModel {
 public:
  std::vector<ModelAgreement> agreements;
  std::vector<ModelRule> rules;

  std::string text() const;
  bool has_role(const std::string& role) const;

  /// nullptr: all is withheld. `today`: 2026-03-01. `said`: of the child; empty: this event alone.
  const ModelRule* decides(const std::string& role, const core::Agency& agency, const MarkedEvent& event,
                           const std::string& today, const Said& said = {},
                           bool glass_is_broken = false) const;

 private:
  bool fits(const ModelRule& rule, const core::Agency& agency, const MarkedEvent& event,
            const std::string& today, const Said& said, bool glass_is_broken) const;
};

/// What becomes of the leaf of an event that this rule decides about.
Fate fate_of(const ModelRule& rule, const MarkedEvent& event, const std::string& leaf, const Said& said = {});

/// A view's values, by path, where no list has more than one element.
Values view_of(const ModelRule& rule, const MarkedEvent& event, const Said& said = {});

}  // namespace carehub::disclosure
