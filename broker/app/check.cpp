#include <algorithm>
#include <ostream>
#include <set>

#include "broker/app/commands.hpp"
#include "broker/app/configuration.hpp"
#include "broker/app/json_line.hpp"
#include "broker/base/clock.hpp"
#include "broker/core/narrower.hpp"

namespace carehub::app {
namespace {

std::string fault_json(const ConfigFault& fault) {
  JsonLine line;
  line.add("file", fault.file)
      .add("line", std::uint64_t{fault.line})
      .add("column", std::uint64_t{fault.column});
  return line.add("text", fault.text).add("remedy", fault.remedy).text();
}

/// The roles that something is delivered in, now or when an agency's connection asks for it. An auditor's is
/// none of them: who only asks, long after, does not act on a flag.
std::set<std::string> roles_that_hear(const core::HubRules& rules) {
  std::set<std::string> roles;
  for (const auto& subscription : rules.subscriptions) roles.insert(subscription.role);
  for (const auto& agency : rules.agencies) roles.insert(agency.roles.begin(), agency.roles.end());
  return roles;
}

/// Marks of a protected child that keep every safeguarding flag about them from everybody who could act.
void doubt_flags_for_nobody(const core::HubRules& rules, const core::Policy& policy,
                            std::vector<std::string>& doubts) {
  const auto roles = roles_that_hear(rules);
  core::RestrictionSet seen = 0;
  bool told = false;
  for (const auto& rule : policy.rules()) {
    if (!roles.contains(rule.role)) continue;
    if (std::ranges::find(rule.types, event::EventType::safeguarding_flag) == rule.types.end()) continue;
    told = true;
    seen = static_cast<core::RestrictionSet>(seen | rule.sees_restricted);
  }
  for (const auto mark : event::EnumValuesRestriction()) {
    const auto bit = core::bit_of(mark);
    if (!told || mark == event::Restriction::unknown || !core::withholds_all(bit) || (seen & bit) != 0)
      continue;
    doubts.push_back("a safeguarding flag about a child who is marked `" +
                     std::string(event::EnumNameRestriction(mark)) +
                     "` reaches nobody: add the mark to `sees_restricted` of the rule of whoever must act");
  }
}

/// Roles that are shown what may be cancelled later and never that it was.
void doubt_cancels_for_nobody(const core::Policy& policy, std::vector<std::string>& doubts) {
  std::set<std::string> told;
  std::set<std::string> told_of_cancels;
  for (const auto& rule : policy.rules()) {
    for (const auto type : rule.types) {
      if (type == event::EventType::correction) told_of_cancels.insert(rule.role);
      if (type == event::EventType::admission || type == event::EventType::discharge) told.insert(rule.role);
    }
  }
  for (const auto& role : told) {
    if (told_of_cancels.contains(role)) continue;
    doubts.push_back("role `" + role +
                     "` is shown admissions or discharges, and never that one was cancelled: add "
                     "`correction` to the types of its rule");
  }
}

/// Rules of a role that may fit one event, where it is the order of the file alone that decides.
void doubt_contradictions(const core::Policy& policy, std::vector<std::string>& doubts) {
  for (const auto& [decides, other, narrower] : core::contradictions_in(policy)) {
    if (narrower) continue;
    doubts.push_back("rules `" + decides->name + "` and `" + other->name + "` of role `" + decides->role +
                     "` may fit one event and show different things; neither is narrower, so the first, `" +
                     decides->name +
                     "`, decides: narrow one of them, or put them in the order that you mean");
  }
}

/// Agreements that a rule needs and that have lapsed or soon will.
void doubt_agreements(const core::Policy& policy, Timestamp now, std::vector<std::string>& doubts) {
  for (const auto& agreement : policy.agreements()) {
    if (!core::ends_soon(agreement, now)) continue;
    if (std::ranges::find(policy.rules(), agreement.name, &core::DisclosureRule::agreement) ==
        policy.rules().end())
      continue;
    doubts.push_back(core::end_text(agreement, now) + ": renew it, or its rules show nothing afterwards");
  }
}

/// Which of two rules decides, where the narrower does.
std::vector<std::string> notes_about(const core::Policy& policy) {
  std::vector<std::string> notes;
  for (const auto& [decides, other, narrower] : core::contradictions_in(policy)) {
    if (!narrower) continue;
    notes.push_back("rules `" + decides->name + "` and `" + other->name + "` of role `" + decides->role +
                    "` may fit one event and show different things: the narrower, `" + decides->name +
                    "`, decides");
  }
  return notes;
}

/// What is right as a file, and rarely meant.
std::vector<std::string> doubts_about(const core::HubRules& rules, const core::Policy& policy,
                                      Timestamp now) {
  std::vector<std::string> doubts;
  doubt_cancels_for_nobody(policy, doubts);
  doubt_flags_for_nobody(rules, policy, doubts);
  doubt_contradictions(policy, doubts);
  doubt_agreements(policy, now, doubts);
  return doubts;
}

}  // namespace

ExitCode check(const CheckOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  const bool good = configuration.faults.empty();
  const auto now = SystemClock().now();
  auto doubts = good ? doubts_about(configuration.hub.rules, configuration.hub.policy, now)
                     : std::vector<std::string>();
  const auto notes = good ? notes_about(configuration.hub.policy) : std::vector<std::string>();
  if (good) {
    const auto more = adapters::doubts_about(configuration.channels, configuration.tiles, now);
    doubts.insert(doubts.end(), more.begin(), more.end());
  }
  if (options.json) {
    for (const auto& fault : configuration.faults) surroundings.out << fault_json(fault) << '\n';
    for (const auto& doubt : doubts) surroundings.out << JsonLine().add("doubt", doubt).text() << '\n';
    for (const auto& note : notes) surroundings.out << JsonLine().add("note", note).text() << '\n';
    surroundings.out << std::flush;
  } else if (!good) {
    print_faults(configuration.faults, surroundings.out);
  } else {
    const auto& hub = configuration.hub;
    surroundings.out << options.config.string() << " is right: " << hub.rules.agencies.size() << " agencies, "
                     << configuration.channels.size() << " channels, " << hub.policy.rules().size()
                     << " rules\n";
    for (const auto& channel : configuration.channels) {
      surroundings.out << "  " << adapters::describe(channel) << '\n';
    }
    for (const auto& doubt : doubts) surroundings.out << "doubtful: " << doubt << '\n';
    for (const auto& note : notes) surroundings.out << "note: " << note << '\n';
    surroundings.out << std::flush;
  }
  return good ? ExitCode::ok : ExitCode::wrong_input;
}

}  // namespace carehub::app
