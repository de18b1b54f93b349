#pragma once

#include "tests/disclosure/policy_model.hpp"

namespace carehub::disclosure {

/// Policies of whatever a policy can say, with rules for each of these roles and agreements between some of
/// these agencies. The same random numbers make the same.
class PolicyMaker {
 public:
  PolicyMaker(fakes::SeededRandom& random, std::vector<std::string> roles, std::vector<std::string> agencies)
      : random_(random), roles_(std::move(roles)), agencies_(std::move(agencies)) {}

  PolicyModel make();

 private:
  bool one_in(std::uint64_t chances) { return random_.below(chances) == 0; }
  ModelRule rule(const std::string& role, const PolicyModel& policy);
  void add_conditions(ModelRule& rule, const PolicyModel& policy);
  void add_fields(ModelRule& rule);
  ModelAgreement agreement(std::size_t number);
  std::string path();
  std::optional<ModelCoarsening> coarsening();

  fakes::SeededRandom& random_;
  std::vector<std::string> roles_;
  std::vector<std::string> agencies_;
};

}  // namespace carehub::disclosure
