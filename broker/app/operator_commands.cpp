#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_history_commands(CLI::App& program, Reading& reading) {
  auto* timeline = add(
      program, "timeline",
      "What happened to one child and who was shown it, or along one journey, or what one agency sent, as a "
      "role may see it",
      "carehub timeline hub.toml --person-file id.txt --role auditor --by 'A Reader' --reason 'audit 12'\n  "
      "carehub timeline hub.toml --agency holm-school --since 2026-01-01 --csv --role auditor --by 'A "
      "Reader' "
      "--reason 'audit 12'");
  add_config(timeline, reading.timeline.config);
  add_person(timeline, reading.timeline.person, false);
  timeline->add_option("--journey", reading.timeline.journey, "The events of this journey, oldest first")
      ->type_name("ID");
  timeline->add_option("--role", reading.timeline.role, "See events as this role may see them")
      ->required()
      ->type_name("ROLE");
  timeline
      ->add_option("--agency", reading.timeline.agency,
                   "The events that this agency sent, oldest first; with a person, in whose name it is asked")
      ->type_name("ID");
  timeline
      ->add_option_function<std::vector<std::string>>(
          "--type",
          [&reading](const std::vector<std::string>& words) {
            for (const auto& word : words) reading.timeline.types.emplace_back("types", word);
          },
          "Events of this type; may be repeated")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("WORD");
  timeline->add_option("--channel", reading.timeline.channel, "Events that came by this inbound channel")
      ->type_name("NAME");
  timeline
      ->add_option("--since", reading.timeline.since,
                   "Written down by the hub then or later: a time, or a day of UTC")
      ->type_name("TIME");
  timeline
      ->add_option("--until", reading.timeline.until,
                   "Written down before that time, or up to that day and on it")
      ->type_name("TIME");
  add_asker(timeline, reading.timeline.by, reading.timeline.reason);
  timeline->add_flag("--fields", reading.timeline.fields, "Each event's fields below its line");
  add_json(timeline, reading.timeline.json);
  timeline->add_flag("--csv", reading.timeline.csv, "CSV with a header, for a spreadsheet")
      ->excludes("--json");
  when_chosen(timeline, [&reading] {
    const auto& chosen = reading.timeline;
    if (chosen.person.given() ? !chosen.journey.empty() : chosen.journey.empty() && chosen.agency.empty())
      throw CLI::ValidationError("timeline", "needs one of --person, --person-file, --journey and --agency");
    reading.chosen = chosen;
  });

  auto* status =
      add(program, "status", "The running hub: its ledger and its subscriptions, with what waits for each",
          "carehub status deploy/sample/hub.toml");
  add_config(status, reading.status.config);
  add_json(status, reading.status.json);
  choose(status, reading, &Reading::status);
}

void add_replay_command(CLI::App& program, Reading& reading) {
  auto* command = add(
      program, "replay",
      "Show history again, as a role may see it, or send it again into a subscription; moves no cursor",
      "carehub replay hub.toml --preview --role auditor --type admission --by 'A Reader' --reason "
      "'figures'\n  "
      "carehub replay hub.toml --role auditor --since 2026-01-31 --to january.json --by 'A Reader' --reason "
      "'figures'\n  "
      "carehub replay hub.toml --into council-duty-desk --since 2026-01-31T06:00:00Z --rate 120 --by 'A "
      "Name' "
      "--reason 'their server lost a morning'");
  auto& options = reading.replay;
  add_config(command, options.config);
  command->add_option("--role", options.role, "See events as this role may see them; not with --into")
      ->type_name("ROLE");
  command->add_option("--agency", options.agency, "As this agency; default: the one agency that has the role")
      ->type_name("ID");
  command->add_flag("--preview", options.preview,
                    "Only count what would be shown and what withheld, by subscription and type");
  command->add_option("--into", options.into, "Send it to the receiver of this subscription, beside its own")
      ->type_name("NAME");
  command->add_flag("--yes", options.yes, "With --into or --to: do not show what would go and ask first");
  command
      ->add_option("--to", options.file,
                   "Write it into this file, one JSON object a line; on a terminal it is counted and asked "
                   "about first. Without --to or --into it goes to standard output, at once")
      ->type_name("FILE");
  command->add_flag("--resume", options.resume, "With --to: go on behind the file's last whole line");
  command->add_option("--rate", options.rate, "At most so many a minute; into a subscription 600 by default")
      ->type_name("N");
  command->add_flag("--raise-notices", options.raise_notices,
                    "With --into: also where people get notices by it");
  command->add_option("--first,--from", options.first, "First sequence")->type_name("N");
  command->add_option("--last", options.last, "Last sequence")->type_name("N");
  command
      ->add_option("--since", options.since, "Written down by the hub then or later: a time, or a day of UTC")
      ->type_name("TIME");
  command->add_option("--until", options.until, "Written down before that time, or up to that day and on it")
      ->type_name("TIME");
  add_filter(command, options.filter);
  add_person(command, options.person, false);
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
  command->callback([&reading] {
    const auto& chosen = reading.replay;
    if (chosen.into.empty() == chosen.role.empty())
      throw CLI::ValidationError("replay", "needs --role, or --into, whose subscription has a role");
    if (!chosen.into.empty() && !(chosen.file.empty() && chosen.agency.empty()))
      throw CLI::ValidationError("--into", "excludes --to and --agency");
    if (chosen.yes && chosen.into.empty() && chosen.file.empty())
      throw CLI::ValidationError("--yes", "needs --into or --to");
    if (chosen.raise_notices && chosen.into.empty())
      throw CLI::ValidationError("--raise-notices", "needs --into");
    if (chosen.resume && chosen.file.empty()) throw CLI::ValidationError("--resume", "needs --to");
    const auto name = chosen.file.string();
    if (!name.empty() && name.find_first_not_of("0123456789") == std::string::npos)
      throw CLI::ValidationError("--to", "names a file; the last sequence is --last");
    reading.chosen = chosen;
  });
}

void add_dead_letter_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "dead-letters",
          "Deliveries that ran out of attempts: list, show, send again, mend, or discard",
          "carehub dead-letters hub.toml send-again --subscription council-duty-desk --sequence 1042 "
          "--by 'A Name' --reason 'their server is mended'\n  "
          "carehub dead-letters hub.toml send-again --all --code 'http 422' --since 2026-01-31T00:00:00Z "
          "--by 'A Name' --reason 'their release 4.2'\n  "
          "carehub dead-letters hub.toml mend --subscription council-duty-desk --sequence 1042 "
          "--event mended.json --by 'A Name' --reason 'an old ward code'");
  auto& options = reading.dead_letters;
  add_config(command, options.config);
  using Action = DeadLetterOptions::Action;
  add_choice<Action>(command, "ACTION", options.action, "list, show, send-again, mend or discard",
                     {{"list", Action::list},
                      {"show", Action::show},
                      {"send-again", Action::send_again},
                      {"mend", Action::mend},
                      {"discard", Action::discard}});
  command->add_option("--subscription", options.subscription, "Of this subscription alone")
      ->type_name("NAME");
  command->add_option("--sequence", options.sequence, "The dead letter's event")->type_name("N");
  command->add_option("--type", options.type, "Those of this event type alone")->type_name("WORD");
  command->add_option("--code", options.code, "Those given up for this reason alone")->type_name("TEXT");
  command->add_option("--since", options.since, "Those given up then or later")->type_name("TIME");
  command->add_flag("--all", options.all,
                    "With send-again or discard: all that these conditions let through");
  command->add_option("--role", options.role, "With show: the event as this role may see it")
      ->type_name("ROLE");
  command
      ->add_option(
          "--event", options.event,
          "With mend: the event that goes in its place, as publish takes it or show --json prints it; "
          "- reads standard input")
      ->type_name("FILE");
  add_record(command, options.by, options.reason, "Who decides, for the record");
  add_json(command, options.json);
  command->callback([&reading] {
    const auto& chosen = reading.dead_letters;
    const bool one = !chosen.subscription.empty() && chosen.sequence != 0;
    const bool asked = !chosen.by.empty() && !chosen.reason.empty();
    if (chosen.action == Action::show && !(one && asked && !chosen.role.empty()))
      throw CLI::ValidationError("show", "needs --subscription, --sequence, --role, --by and --reason");
    const bool mends = chosen.action == Action::mend;
    if (mends ? !(one && asked && !chosen.event.empty() && !chosen.all) : !chosen.event.empty())
      throw CLI::ValidationError("mend",
                                 "needs --subscription, --sequence, --event, --by and --reason, and it "
                                 "alone takes --event");
    const bool acts = chosen.action == Action::send_again || chosen.action == Action::discard;
    if (acts && !(asked && (chosen.all ? chosen.sequence == 0 : one)))
      throw CLI::ValidationError("send-again and discard",
                                 "need --by and --reason, and --subscription and --sequence, or --all");
    reading.chosen = chosen;
  });
}

void add_subscriptions_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "subscriptions", "Who is delivered to: list, pause, resume, reset a cursor, or remove",
          "carehub subscriptions hub.toml pause council-duty-desk --by 'A Name' --reason 'their move'\n  "
          "carehub subscriptions hub.toml reset council-duty-desk --to 2026-01-31T00:00:00Z --by 'A Name' "
          "--reason 'restored from a backup'");
  auto& options = reading.subscriptions;
  add_config(command, options.config);
  using Action = SubscriptionsOptions::Action;
  add_choice<Action>(command, "ACTION", options.action, "list, pause, resume, reset or remove",
                     {{"list", Action::list},
                      {"pause", Action::pause},
                      {"resume", Action::resume},
                      {"reset", Action::reset},
                      {"remove", Action::remove}});
  command->add_option("NAME", options.name, "The subscription");
  command
      ->add_option("--to", options.to,
                   "With reset: beginning, now, an entry's number, or a time such as 2026-01-31T00:00:00Z")
      ->type_name("WHERE");
  add_record(command, options.by, options.reason, "Who decides, for the record");
  add_json(command, options.json);
  command->callback([&reading] {
    const auto& chosen = reading.subscriptions;
    if (chosen.action != Action::list && (chosen.name.empty() || chosen.by.empty() || chosen.reason.empty()))
      throw CLI::ValidationError("ACTION", "all but list need a NAME, --by and --reason");
    if ((chosen.action == Action::reset) == chosen.to.empty())
      throw CLI::ValidationError("ACTION", "--to belongs to reset, and reset needs it");
    reading.chosen = chosen;
  });
}

void add_erase_command(CLI::App& program, Reading& reading) {
  auto* command = add(
      program, "erase", "Erase all that is about one person; says first what will go, and cannot be undone",
      "carehub erase hub.toml --preview --person-file id.txt --by 'A Name' --reason 'request 7'\n  "
      "carehub erase hub.toml --person-file id.txt --by 'A Name' --reason 'request 7'");
  auto& options = reading.erase;
  add_config(command, options.config);
  add_person(command, options.person, true);
  command->add_option("--by,--operator", options.by, "Who decides, for the record")
      ->required()
      ->type_name("NAME");
  command->add_option("--reason", options.reason, "Why, for the record")->required()->type_name("TEXT");
  command->add_flag("--preview", options.preview, "Only say what would go; the asking is recorded");
  command->add_flag("--yes", options.yes, "Do not ask first");
  add_json(command, options.json);
  choose(command, reading, &Reading::erase);
}

}  // namespace

void add_operator_commands(CLI::App& program, Reading& reading) {
  add_history_commands(program, reading);
  add_replay_command(program, reading);
  add_dead_letter_command(program, reading);
  add_subscriptions_command(program, reading);
  add_erase_command(program, reading);
}

}  // namespace carehub::app
