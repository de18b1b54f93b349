#include "broker/app/rotation.hpp"

#include <ostream>

#include "broker/app/hub_options.hpp"
#include "broker/app/json_line.hpp"

namespace carehub::app {

void describe_rotation(server::Rotation& rotation, const server::HubConfig& config, const std::string& by,
                       const std::string& reason, const Surroundings& surroundings) {
  rotation.data = config.data;
  rotation.master_key = config.master_key;
  rotation.by = by;
  rotation.reason = reason;
  rotation.progress = progress_on(surroundings.err);
}

ExitCode tell_rotated(const Result<Sequence>& recorded, const std::string& told, const std::string& then,
                      bool json, Surroundings& surroundings) {
  if (!recorded && recorded.error().kind == ErrorKind::unavailable)
    return complain(surroundings, ExitCode::storage, recorded.error().text);
  if (!recorded) return complain(surroundings, recorded.error());
  if (json) {
    surroundings.out << JsonLine().add("recorded_as", *recorded).text() << std::endl;
  } else {
    surroundings.out << told << ", recorded as entry " << *recorded << ". " << then << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
