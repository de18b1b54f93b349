#include <algorithm>
#include <ostream>
#include <set>

#include "broker/app/commands.hpp"
#include "broker/app/configuration.hpp"
#include "broker/app/json_line.hpp"

namespace carehub::app {
namespace {

std::string fault_json(const ConfigFault& fault) {
  JsonLine line;
  line.add("file", fault.file)
      .add("line", std::uint64_t{fault.line})
      .add("column", std::uint64_t{fault.column});
  return line.add("text", fault.text).add("remedy", fault.remedy).text();
}

/// Marks of a protected child that keep every safeguarding flag about them from everybody.
void doubt_flags_for_nobody(const core::Policy& policy, std::vector<std::string>& doubts) {
  core::RestrictionSet seen = 0;
  bool told = false;
  for (const auto& rule : policy.rules()) {
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

/// What is right as a file, and rarely meant.
std::vector<std::string> doubts_about(const core::Policy& policy) {
  std::vector<std::string> doubts;
  doubt_cancels_for_nobody(policy, doubts);
  doubt_flags_for_nobody(policy, doubts);
  return doubts;
}

}  // namespace

ExitCode check(const CheckOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  const bool good = configuration.faults.empty();
  auto doubts = good ? doubts_about(configuration.hub.policy) : std::vector<std::string>();
  if (good) {
    const auto more =
        adapters::doubts_about(configuration.channels, configuration.tiles, SystemClock().now());
    doubts.insert(doubts.end(), more.begin(), more.end());
  }
  if (options.json) {
    for (const auto& fault : configuration.faults) surroundings.out << fault_json(fault) << '\n';
    for (const auto& doubt : doubts) surroundings.out << JsonLine().add("doubt", doubt).text() << '\n';
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
    surroundings.out << std::flush;
  }
  return good ? ExitCode::ok : ExitCode::wrong_input;
}

}  // namespace carehub::app
