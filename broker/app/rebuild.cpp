#include "broker/server/rebuild.hpp"

#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/json_line.hpp"

namespace carehub::app {

ExitCode rebuild(const RebuildOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  server::RebuildOptions rebuild;
  rebuild.data = config->data;
  rebuild.master_key = config->master_key;
  StillBusy opening(surroundings.err, "opening and checking the ledger");
  rebuild.progress = [&opening, folding = progress_on(surroundings.err)](Sequence done, Sequence all) {
    opening.end();
    folding(done, all);
  };
  const auto head = server::rebuild_state(rebuild);
  opening.end();
  if (!head && head.error().kind == ErrorKind::unavailable) {
    return complain(surroundings, ExitCode::storage, head.error().text);
  }
  if (!head) return complain(surroundings, head.error());
  if (options.json) {
    surroundings.out << JsonLine().add("entries", *head).text() << std::endl;
  } else {
    surroundings.out << "the state is made again from " << *head << " entries" << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
