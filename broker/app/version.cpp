#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/json_line.hpp"
#include "broker/base/wire_frame.hpp"
#include "broker/storage/entry.hpp"

namespace carehub::app {

ExitCode version(const VersionOptions& options, Surroundings& surroundings) {
  const std::string wire = std::to_string(kWireMajor) + "." + std::to_string(kWireMinor);
  const std::string entries = std::to_string(storage::kEntryVersion);
  if (options.json) {
    JsonLine line;
    line.add("carehub", CAREHUB_VERSION).add("wire", wire).add("entries", entries);
    surroundings.out << line.text() << std::endl;
  } else {
    surroundings.out << "carehub " CAREHUB_VERSION ", wire " << wire << ", ledger entries " << entries
                     << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
