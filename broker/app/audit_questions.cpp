#include "broker/app/audit_questions.hpp"

#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_rows_as(CLI::App* command, RowsAs& rows) {
  add_json(command, rows.json);
  command->add_flag("--csv", rows.csv, "CSV with a header, for a spreadsheet")->excludes("--json");
}

/// What both kinds of folder are asked for with.
template <class Options>
void add_folder_options(CLI::App* command, Options& options, bool person_required) {
  add_config(command, options.config);
  command->add_option("--into", options.into, "A new folder, or an empty one")->required()->type_name("DIR");
  add_person(command, options.person, person_required);
  command
      ->add_option("--from", options.from,
                   "From that entry's number on; or written down then or later: a time, or a day of UTC")
      ->type_name("NUMBER|TIME");
  command
      ->add_option("--to", options.to,
                   "Up to that entry; or written down before that time, or up to that day and on it")
      ->type_name("NUMBER|TIME");
  command->add_option("--role", options.role, "Open events as this role may see them")
      ->required()
      ->type_name("ROLE");
  command
      ->add_option("--keys", options.keys, "The hub's public keys; default: the checkpoint.keys in its data")
      ->type_name("FILE");
  add_asker(command, options.by, options.reason);
  add_json(command, options.json);
}

void add_report(CLI::App& audit, Reading& reading) {
  auto* command = add(
      audit, "report",
      "Of a running hub: the figures of a quarter of UTC, by when the hub received it. Made for the first "
      "time when it is over they are written into the ledger; made again they are compared with that, "
      "and leave with 5 where they differ and no erasure explains it. Of a quarter that is not over they "
      "are provisional",
      "carehub audit report hub.toml --quarter 2026-Q1 --by 'A Reader' --reason 'the board'\n  "
      "carehub audit report hub.toml --quarter 2026-Q1 --by 'A Reader' --reason 'to publish' --csv");
  auto& options = reading.report;
  add_config(command, options.config);
  command->add_option("--quarter", options.quarter, "Such as 2026-Q1: January to March, UTC")
      ->required()
      ->type_name("QUARTER");
  command
      ->add_option(
          "--definition", options.definition,
          "How waits are counted: 1 by when things happened as senders say, 2 as the hub received them")
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--suppress-below", options.suppress_below,
                   "Hide counts from 1 to below this, and what would tell them; default: 5 with --csv, which "
                   "is for publishing, 0 (show all) otherwise")
      ->type_name("N");
  add_asker(command, options.by, options.reason);
  add_rows_as(command, options.rows);
  choose(command, reading, &Reading::report);
}

void add_export(CLI::App& audit, Reading& reading) {
  auto* command =
      add(audit, "export",
          "Of a running hub: a folder that an auditor keeps. Entries as they are sealed with a proof each, "
          "what a role may see of them, who asked about them, the signed checkpoint, the public keys, a "
          "manifest, and a script that checks it all without this program. It holds personal data in clear",
          "carehub audit export hub.toml --into case-4 --person-file id.txt --role auditor --by 'A Reader' "
          "--reason 'case review 4'\n"
          "  carehub audit export hub.toml --into q1 --from 2026-01-01 --to 2026-03-31 --role auditor "
          "--by 'A Reader' --reason 'quarterly review'");
  add_folder_options(command, reading.audit_export, false);
  command->add_flag("--every-view", reading.audit_export.every_view,
                    "Of a person also what other roles than --role saw of each event; it is recorded");
  when_chosen(command, [&reading] {
    const auto& chosen = reading.audit_export;
    if (!chosen.person.given() && chosen.from.empty() && chosen.to.empty())
      throw CLI::ValidationError("--person", "export needs a person, --from or --to: 1 is the first entry");
    reading.chosen = chosen;
  });
}

void add_completeness(CLI::App& audit, Reading& reading) {
  auto* command =
      add(audit, "completeness",
          "Of a running hub: a folder that shows a person's timeline over a span to leave nothing out. The "
          "clear part of every entry of the span names the key that it is sealed under, and all of them "
          "lead to the signed checkpoint: none can be missing. Every event under the person's keys is then "
          "in the timeline, or is named. It does not prove that the hub knew the child by one key alone, "
          "nor that the opened text is what was sealed. Leaves with 1 where something is left out, or a "
          "record is not shown. It "
          "holds personal data in clear",
          "carehub audit completeness hub.toml --into case-4-all --person-file id.txt --from 2026-01-01 "
          "--to 2026-03-31 --role auditor --by 'A Reader' --reason 'case review 4'");
  add_folder_options(command, reading.completeness, true);
  choose(command, reading, &Reading::completeness);
}

}  // namespace

void add_audit_questions(CLI::App& audit, Reading& reading) {
  auto* as_of = add(audit, "as-of",
                    "Of a running hub: what an agency had been offered of a person by a time, what it had "
                    "acknowledged, what was withheld and by which rule",
                    "carehub audit as-of hub.toml --agency holm-school --person-file id.txt --at "
                    "2026-01-31T09:30:00Z --by 'A Reader' --reason 'case review 4'");
  add_config(as_of, reading.as_of.config);
  as_of->add_option("--agency", reading.as_of.agency, "Whom it was offered to; '*': every agency")
      ->required()
      ->type_name("ID");
  add_person(as_of, reading.as_of.person, true);
  as_of->add_option("--at", reading.as_of.at, "By then: a time, or a day of UTC with all of it")
      ->required()
      ->type_name("TIME");
  add_asker(as_of, reading.as_of.by, reading.as_of.reason);
  as_of->add_flag("--fields", reading.as_of.fields, "Below each line what the agency saw");
  add_rows_as(as_of, reading.as_of.rows);
  choose(as_of, reading, &Reading::as_of);

  auto* trail =
      add(audit, "trail",
          "Of a running hub: who asked, exported, replayed or changed what, oldest first; that this "
          "was asked is the last line",
          "carehub audit trail hub.toml --since 2026-01-01 --until 2026-03-31 --by 'A Reader' "
          "--reason 'quarterly review' --csv");
  add_config(trail, reading.trail.config);
  add_person(trail, reading.trail.person, false);
  trail->add_option("--since", reading.trail.since, "Written down then or later: a time, or a day of UTC")
      ->type_name("TIME");
  trail
      ->add_option("--until", reading.trail.until,
                   "Written down before that time, or up to that day and on it")
      ->type_name("TIME");
  add_asker(trail, reading.trail.by, reading.trail.reason);
  add_rows_as(trail, reading.trail.rows);
  choose(trail, reading, &Reading::trail);

  add_report(audit, reading);
  add_export(audit, reading);
  add_completeness(audit, reading);
}

}  // namespace carehub::app
