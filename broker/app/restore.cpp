#include "broker/app/restore.hpp"

#include <map>
#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/json_line.hpp"
#include "broker/server/restore.hpp"

namespace carehub::app {
namespace {

namespace fs = std::filesystem;

server::RestoreOptions plan_of(const RestoreOptions& options, const server::HubConfig& config,
                               std::ostream& err) {
  server::RestoreOptions plan;
  plan.ledger = fs::absolute(options.ledger).lexically_normal();
  plan.vault = fs::absolute(options.vault).lexically_normal();
  plan.into = fs::absolute(options.into).lexically_normal();
  plan.to = options.to_sequence;
  plan.given_out = options.given_out;
  plan.origin = options.origin;
  plan.master_key = config.master_key;
  plan.place_master_key =
      config.master_key.kind == storage::MasterKeySource::Kind::file && config.master_key.file.empty();
  if (!options.master_key.empty()) plan.master_key = options.master_key;
  plan.signing_key_file = config.signing_key_file;
  plan.by = options.by;
  plan.reason = options.reason;
  // One that tells at most once a second for each step.
  const auto steps = std::make_shared<std::map<std::string, std::function<void(Sequence, Sequence)>>>();
  plan.progress = [steps, &err](const char* step, Sequence done, Sequence all) {
    auto& tell = (*steps)[step];
    if (!tell) tell = progress_on(err, step);
    tell(done, all);
  };
  return plan;
}

void print(const RestoreOptions& options, const server::HubConfig& config, const server::Restored& restored,
           Surroundings& surroundings) {
  for (const auto& notice : restored.notices) surroundings.err << "carehub: " << notice << '\n';
  if (options.json) {
    surroundings.out << JsonLine()
                            .add("backup_entries", restored.backup_head)
                            .add("restored_to", restored.to)
                            .add("recorded_as", restored.recorded_as)
                            .add("entries", restored.head)
                            .add("from_origin", restored.from_origin)
                            .add("erasures_honoured", restored.erasures)
                            .add("keys_destroyed", restored.keys_destroyed)
                            .text()
                     << std::endl;
    return;
  }
  auto& out = surroundings.out;
  out << "entries 1 to " << restored.to << " of " << restored.backup_head << " are restored into "
      << options.into.string() << ", recorded as entry " << restored.recorded_as << '\n'
      << "the backup extends the checkpoint that " << restored.from_origin << " signed at entry "
      << restored.from_size << "; the restored log is " << options.origin << '\n';
  if (restored.to < restored.backup_head) {
    out << restored.erasures << " erasures behind entry " << restored.to
        << " are honoured; the numbers of what is left out are given to nothing else\n";
  }
  if (restored.keys_destroyed > 0) {
    out << restored.keys_destroyed
        << " keys that the ledger says are erased were in the copy of the vault, and are destroyed\n";
  }
  out << "Give everybody who checks the new checkpoint.keys" << std::endl;
  const fs::path into = fs::absolute(options.into).lexically_normal();
  if (fs::absolute(config.data).lexically_normal() != into) {
    surroundings.err << "carehub: " << options.config.string() << " has another data directory: set data = \""
                     << into.string() << "\" in [hub] before the hub starts" << std::endl;
  }
}

}  // namespace

ExitCode restore(const RestoreOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  if (!config->origin.empty() && config->origin != options.origin) {
    return complain(surroundings, ExitCode::wrong_input,
                    "[hub] says origin = \"" + config->origin +
                        "\", and no hub would start on a log of another: set it to what --origin says first");
  }
  const auto restored = server::restore_hub(plan_of(options, *config, surroundings.err));
  if (!restored) {
    const ErrorKind kind = restored.error().kind;
    const bool storage = kind == ErrorKind::unavailable || kind == ErrorKind::conflict;
    return complain(surroundings, storage ? ExitCode::storage : exit_code(kind), restored.error().text);
  }
  print(options, *config, *restored, surroundings);
  return ExitCode::ok;
}

}  // namespace carehub::app
