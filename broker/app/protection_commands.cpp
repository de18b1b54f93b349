#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_mark(CLI::App& child, Reading& reading, bool lift) {
  auto* command =
      lift ? add(child, "unmark",
                 "Lift marks that the child bears. What an event itself bears stays with that event",
                 "carehub child unmark hub.toml --person-file id.txt --mark sensitive_address --by 'A Name' "
                 "--reason 'the order has ended'")
           : add(child, "mark",
                 "Mark a child as protected: all events of the child, whoever sent them, are masked from now "
                 "on for every role whose rule does not see through the mark",
                 "carehub child mark hub.toml --person-file id.txt --mark witness_protection --by 'A Name' "
                 "--reason 'police request 7'");
  auto& options = reading.mark;
  add_config(command, options.config);
  add_person(command, options.person, true);
  command->add_option("--mark", options.marks, "Which mark; may be repeated")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember(mark_words()))
      ->type_name("WORD");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  when_chosen(command, [&reading, lift] {
    reading.mark.lift = lift;
    reading.chosen = reading.mark;
  });
}

void add_break_glass(CLI::App& program, Reading& reading) {
  auto* command = add(
      program, "break-glass",
      "As an agency: let a role of its own see one child's events for a time, by the rules that say "
      "break_glass_minutes. It is recorded with who and why before anything is shown, and operators are told",
      "carehub break-glass hub.toml --person-file id.txt --role duty-desk --minutes 30 --by 'A Name' "
      "--reason 'found alone at night'");
  auto& options = reading.break_glass;
  add_config(command, options.config);
  add_person(command, options.person, true);
  add_role(command, options.role, options.agency);
  command->add_option("--minutes", options.minutes, "For how long; the role's rules say how long at most")
      ->required()
      ->type_name("N");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  choose(command, reading, &Reading::break_glass);
}

}  // namespace

void add_protection_commands(CLI::App& program, Reading& reading) {
  auto* child = add(program, "child", "Mark a child as protected, or lift such a mark",
                    "carehub child mark hub.toml --person-file id.txt --mark sensitive_address --by 'A Name' "
                    "--reason 'court order 7'");
  child->require_subcommand(1);
  add_mark(*child, reading, false);
  add_mark(*child, reading, true);
  add_break_glass(program, reading);
}

}  // namespace carehub::app
