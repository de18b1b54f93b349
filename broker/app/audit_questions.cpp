#include "broker/app/audit_questions.hpp"

#include <CLI/CLI.hpp>

#include "broker/app/command_line.hpp"

namespace carehub::app {
namespace {

void add_rows_as(CLI::App* command, RowsAs& rows) {
  add_json(command, rows.json);
  command->add_flag("--csv", rows.csv, "CSV with a header, for a spreadsheet")->excludes("--json");
}

}  // namespace

void add_audit_questions(CLI::App& audit, Reading& reading) {
  auto* as_of = add(audit, "as-of",
                    "Of a running hub: what an agency had been offered of a person by a time, what it had "
                    "acknowledged, what was withheld and by which rule",
                    "carehub audit as-of hub.toml --agency holm-school --person-file id.txt --at "
                    "2026-01-31T09:30:00Z --by 'A Reader' --reason 'case review 4'");
  add_config(as_of, reading.as_of.config);
  as_of->add_option("--agency", reading.as_of.agency, "Whom it was offered to")->required()->type_name("ID");
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
}

}  // namespace carehub::app
