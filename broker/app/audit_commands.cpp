#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {

namespace {

void add_prove(CLI::App& audit, Reading& reading) {
  auto* command =
      add(audit, "prove",
          "A proof (C2SP tlog-proof) that an entry is under the signed checkpoint: of a running hub, on "
          "record, or of a stopped one's ledger or a backup",
          "carehub audit prove 4711 hub.toml --by 'A Reader' --reason 'case review 4' > 4711.tlog-proof\n"
          "  carehub audit prove 4711 --ledger /srv/backup > 4711.tlog-proof");
  auto& options = reading.prove;
  command->add_option("SEQUENCE", options.sequence, "The entry's number")->required();
  command->add_option("hub.toml", options.config, "The configuration file of a running hub");
  auto* ledger =
      command->add_option("--ledger", options.ledger, "A stopped hub's data directory, or a backup of one")
          ->type_name("DIR");
  command
      ->add_option("--keys", options.keys,
                   "The running hub's public keys, to check its signature with; default: its checkpoint.keys")
      ->type_name("FILE")
      ->excludes(ledger);
  add_record(command, options.by, options.reason, "Who asks a running hub, for the record");
  when_chosen(command, [&reading] {
    const auto& chosen = reading.prove;
    if (chosen.config.empty() == chosen.ledger.empty())
      throw CLI::ValidationError("SEQUENCE", "prove needs hub.toml of a running hub, or --ledger");
    if (chosen.ledger.empty() && (chosen.by.empty() || chosen.reason.empty()))
      throw CLI::ValidationError("SEQUENCE", "a running hub is asked with --by and --reason");
    reading.chosen = chosen;
  });
}

}  // namespace

void add_audit_command(CLI::App& program, Reading& reading) {
  using Action = AuditOptions::Action;
  auto* command =
      add(program, "audit",
          "Verify a stopped hub's whole ledger or a backup, which stay as they are, or a proof; or ask a "
          "running hub as an auditor. Leaves with 5 where a ledger is damaged, with 1 where a proof does "
          "not hold",
          "carehub audit verify --ledger /var/lib/carehub\n"
          "  carehub audit verify 4711.tlog-proof --keys northmarch.keys\n"
          "  carehub audit rotate-key hub.toml --by 'A Name' --reason 'yearly'");
  auto& options = reading.audit;
  add_choice<Action>(command, "ACTION", options.action, "verify or rotate-key",
                     {{"verify", Action::verify}, {"rotate-key", Action::rotate_key}});
  command->add_option("SUBJECT", options.subject,
                      "A proof file (- reads standard input), or hub.toml for a new signing key");
  command->add_option("--ledger", options.ledger, "A data directory, or a backup of one")->type_name("DIR");
  command
      ->add_option(
          "--keys", options.keys,
          "The hub's public keys, as its checkpoint.keys has them; from its people, not from the proof")
      ->type_name("FILE");
  add_record(command, options.by, options.reason, "Who gives the hub a new signing key, for the record");
  add_json(command, options.json);
  add_prove(*command, reading);
  add_audit_questions(*command, reading);
  when_chosen(command, [&reading, command] {
    if (!command->get_subcommands().empty()) return;
    const auto& chosen = reading.audit;
    if (chosen.action == Action::verify && chosen.subject.empty() == chosen.ledger.empty())
      throw CLI::ValidationError("ACTION", "verify needs a proof file, or --ledger");
    if (chosen.action == Action::rotate_key &&
        (chosen.subject.empty() || chosen.by.empty() || chosen.reason.empty()))
      throw CLI::ValidationError("ACTION", "rotate-key needs hub.toml, --by and --reason");
    reading.chosen = chosen;
  });
}

}  // namespace carehub::app
