#include "broker/server/recover.hpp"

#include <pwd.h>
#include <unistd.h>

#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/json_line.hpp"

namespace carehub::app {
namespace {

/// Under whose name the process runs.
std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user == nullptr ? "user " + std::to_string(::geteuid()) : std::string("user ") + user->pw_name;
}

std::string lost_entries(const server::Recovery& recovery) {
  if (recovery.lost_to == 0) {
    return "no readable mark says whether entries followed entry " + std::to_string(recovery.whole);
  }
  return "entries " + std::to_string(recovery.whole + 1) + " to " + std::to_string(recovery.lost_to) +
         " were durable, their senders hold receipts, and they are gone";
}

void print_json(const server::Recovery& recovery, std::ostream& out) {
  JsonLine line;
  line.add("whole_to", recovery.whole).add_flag("lost", recovery.lost);
  if (recovery.lost && recovery.lost_to != 0) {
    line.add("lost_from", recovery.whole + 1).add("lost_to", recovery.lost_to);
  }
  line.add_flag("accepted", recovery.recorded_as != 0);
  if (recovery.unfinished) line.add_flag("unfinished", true);
  if (recovery.recorded_as != 0) line.add("recorded_as", recovery.recorded_as);
  out << line.text() << std::endl;
}

void print(const server::Recovery& recovery, std::ostream& out) {
  if (!recovery.lost && recovery.recorded_as == 0) {
    out << "nothing is lost: the ledger is whole up to entry " << recovery.whole << std::endl;
    if (recovery.unfinished) {
      out << "An earlier call did not finish, and no hub starts until one does: carehub recover hub.toml "
             "--accept-loss --reason TEXT"
          << std::endl;
    }
    return;
  }
  out << "the ledger is whole up to entry " << recovery.whole << "; " << lost_entries(recovery) << '\n';
  if (recovery.recorded_as == 0) {
    out << "Nothing has been changed. Copy the data directory away, and restore a newer copy if there is "
           "one.\n"
           "If there is none: carehub recover hub.toml --accept-loss --reason TEXT"
        << std::endl;
    return;
  }
  out << "the loss is accepted and recorded as entry " << recovery.recorded_as
      << (recovery.lost_to > recovery.whole + 1
              ? "; the numbers up to " + std::to_string(recovery.lost_to) + " are given to nothing else"
              : std::string())
      << "; have the senders send again what they sent since" << std::endl;
}

}  // namespace

ExitCode recover(const RecoverOptions& options, Surroundings& surroundings) {
  if (options.accept_loss && options.reason.empty()) {
    return complain(surroundings, ExitCode::usage, "--accept-loss needs --reason: it is recorded");
  }
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  server::RecoverOptions recover;
  recover.data = config->data;
  recover.master_key = config->master_key;
  recover.accept = options.accept_loss;
  recover.by = options.operator_name.empty() ? user_name() : options.operator_name;
  recover.reason = options.reason;
  recover.progress = progress_on(surroundings.err);
  const auto recovery = server::recover_ledger(recover);
  if (!recovery && recovery.error().kind == ErrorKind::unavailable) {
    return complain(surroundings, ExitCode::storage, recovery.error().text);
  }
  if (!recovery) return complain(surroundings, recovery.error());
  for (const std::string& notice : recovery->notices) surroundings.err << notice << '\n';
  if (options.json) {
    print_json(*recovery, surroundings.out);
  } else {
    print(*recovery, surroundings.out);
  }
  const bool starts = recovery->recorded_as != 0 || (!recovery->lost && !recovery->unfinished);
  return starts ? ExitCode::ok : ExitCode::corrupt;
}

}  // namespace carehub::app
