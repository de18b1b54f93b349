#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/rotation.hpp"

namespace carehub::app {

ExitCode vault(const VaultOptions& options, Surroundings& surroundings) {
  if (options.reason.empty())
    return complain(surroundings, ExitCode::usage, "rotate needs --reason: it is recorded");
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const bool from_file = config->master_key.kind == storage::MasterKeySource::Kind::file;
  if (from_file != options.new_key_file.empty()) {
    return complain(surroundings, ExitCode::usage,
                    from_file ? "the master key is kept in a file, where the new one goes: no --new-key-file"
                              : "the master key is " + config->master_key.name() +
                                    ": give the new one by --new-key-file, and put it in the old one's place "
                                    "before the hub starts");
  }
  server::RotateOptions rotate;
  describe_rotation(rotate, *config, options.by, options.reason, surroundings);
  rotate.new_key_file = options.new_key_file;
  return tell_rotated(server::rotate_master_key(rotate), "the vault has a new master key",
                      from_file ? "Copy it to where it is kept safe; copies of the vault that are older open "
                                  "with the old one"
                                : "Put it in the place of " + config->master_key.name() + " now",
                      options.json, surroundings);
}

}  // namespace carehub::app
