#include "broker/app/backup.hpp"

#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/replay_queue.hpp"

namespace carehub::app {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kTurn{200};

/// Of a hub on this machine the paths may be given as seen from here.
std::string place(const server::HubConfig& config, const fs::path& path) {
  if (path.empty() || config.connect) return path.string();
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  return (error ? path : whole).lexically_normal().string();
}

void show_progress(const wire::BackedUpT& told, std::ostream& err) {
  if (told.text.empty()) return;
  err << told.text << ": " << told.done << " of " << told.all << " ("
      << (told.all == 0 ? 100 : told.done * 100 / told.all) << " %)" << std::endl;
}

/// Waits for the frame that says how it ended.
Result<wire::BackedUpT> wait_for_end(ReplayQueue& replies, Surroundings& surroundings) {
  for (;;) {
    if (surroundings.stopped_within(std::chrono::milliseconds(0))) {
      return fail(
          ErrorKind::unavailable,
          "no longer waited for: the hub goes on with the backup, and its ledger will say how it ended");
    }
    auto reply = replies.pop(kTurn);
    if (!reply) continue;
    if (!*reply) return fail((*reply).error().kind, (*reply).error().text);
    auto* told = std::get_if<wire::BackedUpT>(&**reply);
    if (told == nullptr)
      return fail(ErrorKind::invalid, "the hub answered with another frame than was asked for");
    if (told->last) return std::move(*told);
    show_progress(*told, surroundings.err);
  }
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
  const auto replies = std::make_shared<ReplayQueue>();
  auto asked =
      (*hub)->ask(wanted, [replies](Result<client::Reply> reply) { replies->push(std::move(reply)); });
  if (!asked) return complain(surroundings, asked.error());
  const auto ended = wait_for_end(*replies, surroundings);
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
