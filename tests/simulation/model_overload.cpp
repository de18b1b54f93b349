#include "tests/simulation/model.hpp"

// What publishers are told while the ledger's disk is behind.

namespace carehub::simulation {
namespace {

constexpr std::int64_t kSlowUs = 2 * kSecondUs;
/// Who does not come again for so long is taken to have given it up.
constexpr std::int64_t kGivenUpUs = 10 * kSecondUs;

}  // namespace

/// An outcome leaves. Until all that was told to come again has come, nothing later of that connection is
/// taken.
void Model::check_order(Connection& connection, const wire::PublishOutcome& outcome, bool late) {
  PushedBack& pushed = connection.pushed_back;
  // Of what waited for its reader nobody knows when it was decided.
  pushed.unknown = pushed.unknown || late || uncertain_;
  if (pushed.unknown) return;
  const std::uint64_t number = outcome.number();
  const std::string what = "item " + std::to_string(number);
  const auto passed = [&](std::int64_t since_us) {
    return static_cast<std::int64_t>(speed() * static_cast<double>(clock_.steady_us() - since_us));
  };
  const bool told =
      outcome.outcome() == wire::Outcome::failed && outcome.kind() == wire::ErrorKind::overloaded;
  if (told) {
    verdict_.tell("hub -> overloaded for " + what);
    if (pushed.numbers.empty() && passed(synced_us_) < kSlowUs)
      broken("a publisher is told to come again only while the disk is behind", what);
    pushed.numbers.insert(number);
    pushed.since_us = clock_.steady_us();
    return;
  }
  if (pushed.numbers.erase(number) > 0) pushed.since_us = decided_us_;
  if (pushed.numbers.empty() || *pushed.numbers.begin() > number) return;
  if (passed(pushed.since_us) < kGivenUpUs)
    return broken("who was told to come again keeps its order",
                  what + " before item " + std::to_string(*pushed.numbers.begin()));
  pushed.numbers.clear();
}

}  // namespace carehub::simulation
