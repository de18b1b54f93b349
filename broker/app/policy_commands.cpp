#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_explain(CLI::App& policy, Reading& reading) {
  auto* command =
      add(policy, "explain",
          "Of a running hub: what a role sees of one event, field by field, by which rule and on which legal "
          "basis, or why it sees nothing. Never a value. The asking is recorded",
          "carehub policy explain hub.toml --role school-pastoral --event 4711 --by 'A Name' --reason "
          "'complaint 7'\n"
          "  carehub policy explain hub.toml --role school-pastoral --agency holm-school --event 4711 "
          "--policy next.toml --by 'A Name' --reason 'a draft'");
  auto& options = reading.policy_explain;
  add_config(command, options.config);
  command->add_option("--role", options.role, "Whose view is explained")->required()->type_name("ROLE");
  command->add_option("--event", options.event, "The event, by its entry's number")
      ->required()
      ->type_name("SEQ");
  command->add_option("--agency", options.agency, "As this agency; default: each that holds the role")
      ->type_name("ID");
  command
      ->add_option("--policy", options.policy,
                   "By this policy file or folder instead of what decides now; - reads standard input")
      ->type_name("PATH");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  choose(command, reading, &Reading::policy_explain);
}

void add_diff(CLI::App& policy, Reading& reading) {
  auto* command = add(
      policy, "diff",
      "Of a running hub: who would see more or less of what under NEW than under OLD, tried on the events "
      "of the last days, by what is known of each child now. Counts, rules and example events, never a "
      "value. A policy with a fault is refused before anything is tried. The asking is recorded",
      "carehub policy diff hub.toml current policy.toml --by 'A Name' --reason 'a draft'\n"
      "  carehub policy diff hub.toml policy-2025 policy-2026 --days 90 --csv --by 'A Name' --reason "
      "'the yearly review' > changes.csv");
  auto& options = reading.policy_diff;
  add_config(command, options.config);
  const std::string what =
      "a policy file or folder; current: the one that decides in the hub; - reads standard input";
  command->add_option("OLD", options.old_policy, "Compared with: " + what)->required();
  command->add_option("NEW", options.new_policy, "Compared: " + what)->required();
  command->add_option("--days", options.days, "Tried on the events of so many days until now; default 30")
      ->check(CLI::Range(std::uint32_t{1}, PolicyDiffOptions::kDaysMax))
      ->type_name("N");
  add_asker(command, options.by, options.reason);
  command->add_flag("--json", options.json, "One JSON object, for another program");
  command
      ->add_flag("--csv", options.csv,
                 "CSV with a header, for a spreadsheet; the rest is told on standard error")
      ->excludes("--json");
  choose(command, reading, &Reading::policy_diff);
}

void add_register(CLI::App& policy, Reading& reading) {
  auto* command = add(policy, "register",
                      "The sharing register, out of the configuration: who shares what with whom, why, under "
                      "which agreement, until when. Needs no hub",
                      "carehub policy register deploy/sample/hub.toml --csv");
  add_config(command, reading.policy_register.config);
  command->add_flag("--csv", reading.policy_register.csv, "CSV with a header, for a spreadsheet");
  choose(command, reading, &Reading::policy_register);
}

void add_apply(CLI::App& policy, Reading& reading) {
  auto* command =
      add(policy, "apply",
          "Put another policy in the place of the one that decides in a running hub. All its faults are "
          "told, what would change is shown and asked about, and it is recorded whole with who and why. It "
          "decides from the next event on; what was offered before is judged by the old one",
          "carehub policy apply hub.toml policy.toml --by 'A Name' --reason 'agreement 12 was signed'\n"
          "  carehub policy apply hub.toml policy.toml --preview --by 'A Name' --reason 'a draft'");
  auto& options = reading.policy_apply;
  add_config(command, options.config);
  command->add_option("FILE", options.policy, "The policy; - reads standard input")->required();
  add_asker(command, options.by, options.reason);
  command->add_flag("--preview", options.preview, "Only show what would change, and whether it could");
  command->add_flag("--yes", options.yes, "Do not ask first")->excludes("--preview");
  add_json(command, options.json);
  choose(command, reading, &Reading::policy_apply);
}

}  // namespace

void add_policy_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "policy",
          "Why somebody sees what they see, who shares what with whom, and another policy without a restart",
          "carehub policy explain hub.toml --role school-pastoral --event 4711 --by 'A Name' "
          "--reason 'complaint 7'");
  command->require_subcommand(1);
  add_explain(*command, reading);
  add_diff(*command, reading);
  add_register(*command, reading);
  add_apply(*command, reading);
}

}  // namespace carehub::app
