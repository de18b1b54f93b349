#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_backup_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "backup",
          "Copy the ledger of a running hub, verify the copy whole, and copy the vault, each into a new "
          "directory on the hub's machine; on record",
          "carehub backup hub.toml --ledger /srv/backup/ledger-monday --vault /srv/vaults/monday "
          "--by 'A Name' --reason nightly");
  auto& options = reading.backup;
  add_config(command, options.config);
  command->add_option("--ledger", options.ledger, "Where the ledger's copy goes; must not exist yet")
      ->type_name("DIR");
  command
      ->add_option("--vault", options.vault,
                   "Where the vault's copy goes, apart from the ledger's; must not exist yet")
      ->type_name("DIR");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  when_chosen(command, [&reading] {
    if (reading.backup.ledger.empty() && reading.backup.vault.empty())
      throw CLI::ValidationError("backup", "needs --ledger, --vault, or both");
    reading.chosen = reading.backup;
  });
}

void add_restore_command(CLI::App& program, Reading& reading) {
  auto* command = add(
      program, "restore",
      "Make a new data directory out of a backup, whole or up to an entry, for a hub with a log origin of "
      "its own; what was erased stays erased",
      "carehub restore hub.toml --ledger /srv/backup/ledger-monday --vault /srv/vaults/monday --into "
      "/var/lib/carehub-2 --master-key /root/master.key --origin hub.northmarch.example/ledger-2 --by "
      "'A Name' --reason 'disk 3 failed'");
  auto& options = reading.restore;
  add_config(command, options.config);
  command->add_option("--ledger", options.ledger, "The ledger's copy, or a stopped hub's data directory")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--vault", options.vault,
                   "The vault's copy, made with the ledger's or later; the newest knows of most erasures")
      ->required()
      ->type_name("PATH");
  command->add_option("--into", options.into, "The new data directory; must not exist yet")
      ->required()
      ->type_name("DIR");
  command->add_option("--origin", options.origin, "Of the restored hub's own log")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--master-key", options.master_key,
                   "The file of the key that opens the vault; default: as hub.toml says")
      ->type_name("FILE");
  command->add_option("--to-sequence", options.to_sequence, "The last entry to restore; default: all")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command
      ->add_option("--given-out", options.given_out,
                   "The highest entry number that anybody knows from the old hub, where that is beyond the "
                   "backup: no number up to it is given to anything else")
      ->type_name("N");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  choose(command, reading, &Reading::restore);
}

}  // namespace

void add_backup_commands(CLI::App& program, Reading& reading) {
  add_backup_command(program, reading);
  add_restore_command(program, reading);
}

}  // namespace carehub::app
