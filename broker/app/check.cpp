#include <ostream>

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

}  // namespace

ExitCode check(const CheckOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  const bool good = configuration.faults.empty();
  if (options.json) {
    for (const auto& fault : configuration.faults) surroundings.out << fault_json(fault) << '\n';
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
    surroundings.out << std::flush;
  }
  return good ? ExitCode::ok : ExitCode::wrong_input;
}

}  // namespace carehub::app
