#include "broker/app/backup.hpp"

#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/long_question.hpp"

namespace carehub::app {
namespace {

namespace fs = std::filesystem;

/// Of a hub on this machine the paths may be given as seen from here.
std::string place(const server::HubConfig& config, const fs::path& path) {
  if (path.empty() || config.connect) return path.string();
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  return (error ? path : whole).lexically_normal().string();
}

void print_done(const BackupOptions& options, const wire::BackupT& asked, Sequence sequence,
                Surroundings& surroundings) {
  if (options.json) {
    JsonLine line;
    line.add("sequence", sequence);
    if (!asked.ledger.empty()) line.add("ledger", asked.ledger);
    if (!asked.vault.empty()) line.add("vault", asked.vault);
    surroundings.out << line.text() << std::endl;
  } else {
    if (!asked.ledger.empty()) {
      surroundings.out << "the ledger's copy is whole and verified, up to entry " << sequence << ": "
                       << asked.ledger << '\n';
    }
    if (!asked.vault.empty())
      surroundings.out << "the vault's copy is whole: " << asked.vault
                       << ". The master key that opens it is not in it: keep that elsewhere\n";
    surroundings.out << std::flush;
  }
}

}  // namespace

ExitCode backup(const BackupOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto hub = connect(*config, "carehub backup", {});
  if (!hub) return complain(surroundings, hub.error());
  wire::BackupT wanted;
  wanted.ledger = place(*config, options.ledger);
  wanted.vault = place(*config, options.vault);
  wanted.by = options.by;
  wanted.reason = options.reason;
  const auto ended =
      ask_long(**hub, wanted,
               "no longer waited for: the hub goes on with the backup, and its ledger will say how it ended",
               surroundings);
  if (!ended) return complain(surroundings, ended.error());
  if (ended->error != wire::ErrorKind::unknown) {
    const ErrorKind kind = error_kind(ended->error);
    const bool storage = kind == ErrorKind::unavailable || kind == ErrorKind::conflict;
    return complain(surroundings, storage ? ExitCode::storage : exit_code(kind), ended->text);
  }
  print_done(options, wanted, ended->sequence, surroundings);
  return ExitCode::ok;
}

}  // namespace carehub::app
