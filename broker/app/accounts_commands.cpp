#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {

void add_accounts_command(CLI::App& program, Reading& reading) {
  using Action = AccountsOptions::Action;
  auto* command = add(
      program, "accounts",
      "Who may sign in to the console. A running hub takes the change within seconds, and ends the sessions "
      "of an account that is removed or reset",
      "carehub accounts add hub.toml jo --roles tier4-case-manager --until 2027-01-31\n"
      "  carehub accounts list hub.toml\n"
      "  carehub accounts reset hub.toml jo\n"
      "  carehub accounts remove hub.toml jo");
  auto& options = reading.accounts;
  add_choice<Action>(
      command, "ACTION", options.action, "list, add, remove, or reset: a new password and device",
      {{"list", Action::list}, {"add", Action::add}, {"remove", Action::remove}, {"reset", Action::reset}});
  add_config(command, options.config);
  command->add_option("NAME", options.name, "The account's name: what is typed to sign in");
  command->add_option("--roles", options.roles, "Of add: roles of the policy, with commas")
      ->type_name("ROLES");
  command->add_option("--until", options.until, "Of add: the last day on which it may sign in (UTC)")
      ->type_name("DAY");
  command
      ->add_option("--password-file", options.password_file,
                   "A file with mode 600 that holds the password; without it the terminal is asked")
      ->type_name("FILE");
  add_json(command, options.json);
  when_chosen(command, [&reading] {
    const auto& chosen = reading.accounts;
    if ((chosen.action == Action::list) != chosen.name.empty())
      throw CLI::ValidationError("NAME", "add, remove and reset need an account's name, and list takes none");
    if (chosen.action == Action::add && chosen.roles.empty())
      throw CLI::ValidationError("--roles", "add needs --roles");
    if (chosen.action != Action::add && (!chosen.roles.empty() || !chosen.until.empty()))
      throw CLI::ValidationError("--roles", "--roles and --until are of add alone");
    reading.chosen = chosen;
  });
}

}  // namespace carehub::app
