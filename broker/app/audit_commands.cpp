#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {

void add_audit_command(CLI::App& program, Reading& reading) {
  using Action = AuditOptions::Action;
  auto* command =
      add(program, "audit",
          "Verify a whole ledger or a proof, or prove an entry; of a stopped hub's data or a backup, "
          "which stays as it is. Leaves with 5 where a ledger is damaged, with 1 where a proof does not hold",
          "carehub audit verify --ledger /var/lib/carehub\n"
          "  carehub audit prove 4711 --ledger /srv/backup > 4711.tlog-proof\n"
          "  carehub audit verify 4711.tlog-proof --keys northmarch.keys\n"
          "  carehub audit rotate-key hub.toml --by 'A Name' --reason 'yearly'");
  auto& options = reading.audit;
  add_choice<Action>(
      command, "ACTION", options.action, "verify, prove or rotate-key",
      {{"verify", Action::verify}, {"prove", Action::prove}, {"rotate-key", Action::rotate_key}});
  command->add_option(
      "SUBJECT", options.subject,
      "A proof file (- reads standard input), the number of the entry to prove, or hub.toml for "
      "a new signing key");
  command->add_option("--ledger", options.ledger, "A data directory, or a backup of one")->type_name("DIR");
  command
      ->add_option(
          "--keys", options.keys,
          "The hub's public keys, as its checkpoint.keys has them; from its people, not from the proof")
      ->type_name("FILE");
  add_record(command, options.by, options.reason, "Who gives the hub a new signing key, for the record");
  add_json(command, options.json);
  add_audit_questions(*command, reading);
  when_chosen(command, [&reading, command] {
    if (!command->get_subcommands().empty()) return;
    const auto& chosen = reading.audit;
    if (chosen.action == Action::prove && (chosen.subject.empty() || chosen.ledger.empty()))
      throw CLI::ValidationError("ACTION", "prove needs an entry's number and --ledger");
    if (chosen.action == Action::verify && chosen.subject.empty() == chosen.ledger.empty())
      throw CLI::ValidationError("ACTION", "verify needs a proof file, or --ledger");
    if (chosen.action == Action::rotate_key &&
        (chosen.subject.empty() || chosen.by.empty() || chosen.reason.empty()))
      throw CLI::ValidationError("ACTION", "rotate-key needs hub.toml, --by and --reason");
    reading.chosen = chosen;
  });
}

}  // namespace carehub::app
