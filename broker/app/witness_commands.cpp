#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {

void add_witness_command(CLI::App& program, Reading& reading) {
  using Action = WitnessOptions::Action;
  auto* command =
      add(program, "witness",
          "Hold another agency's hub to its own history: cosign its checkpoints where each extends the last. "
          "Leaves with 5 where the hub shows another history",
          "carehub witness keygen --name witness.march.example --key witness.key\n"
          "  carehub witness --hub tcp://10.0.0.1:5570 --hub-public-file hub.public --secret-file own.secret "
          "--keys northmarch.keys --key witness.key --memory /var/lib/carehub-witness");
  auto& options = reading.witness;
  add_choice<Action>(command, "ACTION", options.action,
                     "run, or keygen for a new key, whose public half is printed",
                     {{"run", Action::run}, {"keygen", Action::keygen}});
  command->add_option("--key", options.key, "The witness's own signing key; never overwritten")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", options.name, "Of keygen: the witness's name, such as witness.march.example")
      ->type_name("NAME");
  command->add_option("--hub", options.hub, "The hub's endpoint, tcp://ADDRESS:PORT or ipc://PATH")
      ->type_name("ENDPOINT");
  command->add_option("--hub-public-file", options.hub_public_file, "Over tcp://: the hub's public key")
      ->type_name("FILE");
  command
      ->add_option("--secret-file", options.secret_file,
                   "Over tcp://: the secret key of this process, as `carehub keys` makes it")
      ->type_name("FILE");
  command
      ->add_option("--keys", options.keys,
                   "The keys that sign the hub's checkpoints, as its checkpoint.keys has them; from its "
                   "people. Read again each time")
      ->type_name("FILE");
  command->add_option("--memory", options.memory, "Where it remembers what it has signed; made when missing")
      ->type_name("DIR");
  command->add_flag("--once", options.once, "Look once and leave");
  command->add_option("--interval", options.interval_s, "Between two looks")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str()
      ->type_name("SECONDS");
  add_json(command, options.json);
  when_chosen(command, [&reading] {
    const auto& chosen = reading.witness;
    if (chosen.action == Action::keygen && chosen.name.empty())
      throw CLI::ValidationError("ACTION", "keygen needs --name");
    if (chosen.action == Action::run && (chosen.hub.empty() || chosen.keys.empty() || chosen.memory.empty()))
      throw CLI::ValidationError("ACTION", "a witness needs --hub, --keys and --memory");
    reading.chosen = chosen;
  });
}

}  // namespace carehub::app
