#include "broker/app/program.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "broker/base/limits.hpp"

// Long because: every command and its options stand here one after the other, and nothing else.

namespace carehub::app {
namespace {

const char* const kExitCodes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  the configuration or a file is wrong; every fault is listed\n"
    "  2  the command line is wrong\n"
    "  3  the hub cannot be reached, or a port is taken\n"
    "  4  storage: disk full, not writable, or in use by another hub\n"
    "  5  stored data is damaged: stop and call for help\n"
    "  6  not permitted\n"
    "  7  not found\n"
    "\n"
    "Each command explains itself: carehub run --help";

/// Options of all commands, filled while the command line is read; `chosen` says which command it was.
struct Reading {
  RunOptions run, broker, adapter;
  CheckOptions check;
  TryOptions try_message;
  PublishOptions publish;
  WatchOptions watch;
  TimelineOptions timeline;
  ReplayOptions replay;
  DeadLetterOptions dead_letters;
  SubscriptionsOptions subscriptions;
  StatusOptions status;
  RebuildOptions rebuild;
  RecoverOptions recover;
  KeysOptions keys;
  BenchOptions bench;
  VersionOptions version;
  std::optional<Command> chosen;
};

CLI::App* add(CLI::App& program, const char* name, const char* description, const char* example) {
  auto* command = program.add_subcommand(name, description);
  command->footer(std::string("Example:\n  ") + example);
  return command;
}

void add_config(CLI::App* command, std::filesystem::path& config) {
  command->add_option("hub.toml", config, "The configuration file")->required();
}

void add_json(CLI::App* command, bool& json) {
  command->add_flag("--json", json, "JSON, one object a line, instead of text for people");
}

void add_person(CLI::App* command, PersonOption& person, bool required) {
  auto* group = command->add_option_group("person", "Whom it is about");
  group
      ->add_option_function<std::string>(
          "--person", [&person](const std::string& text) { person.text = text; },
          "nhs:VALUE, upn:VALUE, local:ISSUER:VALUE, or sequence:N for whom an entry is about; "
          "- reads it from standard input")
      ->type_name("ID");
  group
      ->add_option_function<std::string>(
          "--person-file", [&person](const std::string& file) { person.file = file; },
          "A file that holds it, so that it stays out of the shell's history")
      ->type_name("FILE");
  if (required) {
    group->require_option(1);
  } else {
    group->require_option(0, 1);
  }
}

void add_record(CLI::App* command, std::string& by, std::string& reason, const char* who) {
  command->add_option("--by", by, who)->type_name("NAME");
  command->add_option("--reason", reason, "Why, for the record")->type_name("TEXT");
}

void add_asker(CLI::App* command, std::string& by, std::string& reason) {
  add_record(command, by, reason, "Who asks, for the record");
  for (const char* option : {"--by", "--reason"}) command->get_option(option)->required();
}

/// A positional word that stands for one of these; the first when it is not given.
template <class Choice>
void add_choice(CLI::App* command, const char* name, Choice& choice, const char* help,
                const std::vector<std::pair<std::string, Choice>>& words) {
  std::vector<std::string> names;
  for (const auto& [word, meaning] : words) names.push_back(word);
  command
      ->add_option_function<std::string>(
          name,
          [&choice, words](const std::string& given) {
            for (const auto& [word, meaning] : words) {
              if (word == given) choice = meaning;
            }
          },
          help)
      ->check(CLI::IsMember(names))
      ->default_str(names.front());
}

void add_role(CLI::App* command, std::string& role, std::string& agency) {
  command->add_option("--role", role, "See events as this role may see them")->required()->type_name("ROLE");
  command->add_option("--agency", agency, "As this agency; default: the one agency that has the role")
      ->type_name("ID");
}

void add_filter(CLI::App* command, FilterWords& filter) {
  struct Condition {
    const char* option;
    const char* key;
    const char* help;
  };
  static constexpr Condition kConditions[] = {
      {"--type", "types", "Events of this type (may be repeated, like the others below)"},
      {"--from-agency", "agencies", "Events from this agency"},
      {"--from-channel", "channels", "Events that came by this inbound channel"},
      {"--tier", "tiers", "Events of this tier, 1 to 4"},
      {"--thrive", "thrive", "Events of this THRIVE group"},
      {"--age-min", "age_min", "From this birthday on"},
      {"--age-max", "age_max", "Until this birthday: 18 means under 18"},
      {"--home-authority", "home_authorities", "Children of this authority (GSS code)"},
      {"--gp-practice", "gp_practices", "Children of this practice (ODS code)"},
      {"--school", "schools", "Children of this school (URN or LAESTAB)"},
      {"--flag-reason", "flag_reasons", "Safeguarding flags with this SNOMED CT reason"},
  };
  for (const auto& condition : kConditions) {
    const std::string key = condition.key;
    command
        ->add_option_function<std::vector<std::string>>(
            condition.option,
            [&filter, key](const std::vector<std::string>& words) {
              for (const auto& word : words) filter.emplace_back(key, word);
            },
            condition.help)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("WORD");
  }
}

template <class Options>
void choose(CLI::App* command, Reading& reading, Options Reading::* options) {
  command->callback([&reading, options] { reading.chosen = reading.*options; });
}

void add_hub_commands(CLI::App& program, Reading& reading) {
  auto* run = add(program, "run", "Run the hub: the broker and every channel, in one process",
                  "carehub run deploy/sample/hub.toml");
  add_config(run, reading.run.config);
  choose(run, reading, &Reading::run);

  auto* broker = add(program, "broker", "Run the broker alone; channels connect as processes of their own",
                     "carehub broker /etc/carehub/hub.toml");
  add_config(broker, reading.broker.config);
  reading.broker.parts = RunOptions::Parts::broker;
  choose(broker, reading, &Reading::broker);

  auto* adapter =
      add(program, "adapter", "Run one channel or several in a process of its own, against a running broker",
          "carehub adapter /etc/carehub/hub.toml --channel elwick-adt");
  add_config(adapter, reading.adapter.config);
  adapter->add_option("--channel", reading.adapter.channels, "The channel's name; may be repeated")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("NAME");
  reading.adapter.parts = RunOptions::Parts::adapter;
  choose(adapter, reading, &Reading::adapter);

  auto* rebuild = add(program, "rebuild",
                      "Delete the hub's state and make it again from the ledger; the hub must be stopped",
                      "carehub rebuild /etc/carehub/hub.toml");
  add_config(rebuild, reading.rebuild.config);
  add_json(rebuild, reading.rebuild.json);
  choose(rebuild, reading, &Reading::rebuild);

  auto* recover =
      add(program, "recover",
          "How much of the end of a stopped hub's ledger is lost; with --accept-loss the hub goes "
          "on without it. Leaves with 5 where a loss is found and not accepted",
          "carehub recover hub.toml --accept-loss --reason 'disk 3 failed, no newer copy'");
  add_config(recover, reading.recover.config);
  auto* reason =
      recover->add_option("--reason", reading.recover.reason, "Why, for the record")->type_name("TEXT");
  recover
      ->add_flag("--accept-loss", reading.recover.accept_loss, "A person's decision; recorded in the ledger")
      ->needs(reason);
  recover
      ->add_option("--operator,--by", reading.recover.operator_name,
                   "Who decides, for the record; default: the user of this process")
      ->type_name("NAME");
  add_json(recover, reading.recover.json);
  choose(recover, reading, &Reading::recover);
}

void add_configuration_commands(CLI::App& program, Reading& reading) {
  auto* check =
      add(program, "check", "Find every fault of the configuration, its policy and its mapping packs",
          "carehub check deploy/sample/hub.toml");
  add_config(check, reading.check.config);
  add_json(check, reading.check.json);
  choose(check, reading, &Reading::check);

  auto* attempt =
      add(program, "try",
          "What would this message become, and who would get what of it? Touches nothing, needs no hub",
          "carehub try deploy/sample/hub.toml --channel elwick-adt message.hl7");
  add_config(attempt, reading.try_message.config);
  attempt->add_option("--channel", reading.try_message.channel, "The inbound channel")
      ->required()
      ->type_name("NAME");
  attempt->add_option("FILE", reading.try_message.file, "The message; - reads standard input")->required();
  add_json(attempt, reading.try_message.json);
  choose(attempt, reading, &Reading::try_message);

  auto* keys =
      add(program, "keys", "Make a CURVE key pair: NAME.public, and NAME.secret for its owner's eyes only",
          "carehub keys /etc/carehub/holm-school   (then paste its .public into hub.toml's [[client]])");
  keys->add_option("NAME", reading.keys.file,
                   "Where: NAME.public and NAME.secret are made, never overwritten")
      ->required();
  add_json(keys, reading.keys.json);
  choose(keys, reading, &Reading::keys);

  auto* version =
      add(program, "version", "Which version this is, and of what it speaks", "carehub version --json");
  add_json(version, reading.version.json);
  choose(version, reading, &Reading::version);
}

void add_event_commands(CLI::App& program, Reading& reading) {
  auto* publish =
      add(program, "publish", "Publish events from a JSON file (an object, an array, or one object a line)",
          "carehub publish deploy/sample/hub.toml event.json --agency northmarch-council");
  add_config(publish, reading.publish.config);
  publish->add_option("FILE", reading.publish.file, "The events; - reads standard input")->required();
  publish
      ->add_option("--agency", reading.publish.agency,
                   "Publish as this agency; default: each event's source_agency")
      ->type_name("ID");
  publish
      ->add_option("--channel", reading.publish.channel,
                   "Through this inbound channel of the agency, whose scope then holds")
      ->type_name("NAME");
  add_json(publish, reading.publish.json);
  choose(publish, reading, &Reading::publish);

  auto* watch =
      add(program, "watch", "Show deliveries as they happen, until Ctrl-C",
          "carehub watch deploy/sample/hub.toml --role tier4-case-manager --type admission --tier 4");
  add_config(watch, reading.watch.config);
  add_role(watch, reading.watch.role, reading.watch.agency);
  add_filter(watch, reading.watch.filter);
  watch->add_option("--count", reading.watch.count, "Stop after this many deliveries")->type_name("N");
  watch->add_option("--seconds", reading.watch.seconds, "Stop after this long")->type_name("N");
  add_json(watch, reading.watch.json);
  choose(watch, reading, &Reading::watch);
}

void add_history_commands(CLI::App& program, Reading& reading) {
  auto* timeline = add(
      program, "timeline", "What happened to one child and who was shown it, as a role may see it",
      "carehub timeline hub.toml --person-file id.txt --role auditor --by 'A Reader' --reason 'audit 12'");
  add_config(timeline, reading.timeline.config);
  add_person(timeline, reading.timeline.person, true);
  add_role(timeline, reading.timeline.role, reading.timeline.agency);
  add_asker(timeline, reading.timeline.by, reading.timeline.reason);
  timeline->add_flag("--fields", reading.timeline.fields, "Each event's fields below its line");
  add_json(timeline, reading.timeline.json);
  choose(timeline, reading, &Reading::timeline);

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
  command->add_option("--to", options.file, "Write it into this file, one JSON object a line")
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
      add(program, "dead-letters", "Deliveries that ran out of attempts: list, show, send again, or discard",
          "carehub dead-letters hub.toml send-again --subscription council-duty-desk --sequence 1042 "
          "--by 'A Name' --reason 'their server is mended'\n  "
          "carehub dead-letters hub.toml send-again --all --code 'http 422' --since 2026-01-31T00:00:00Z "
          "--by 'A Name' --reason 'their release 4.2'");
  auto& options = reading.dead_letters;
  add_config(command, options.config);
  using Action = DeadLetterOptions::Action;
  add_choice<Action>(command, "ACTION", options.action, "list, show, send-again or discard",
                     {{"list", Action::list},
                      {"show", Action::show},
                      {"send-again", Action::send_again},
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
  add_record(command, options.by, options.reason, "Who decides, for the record");
  add_json(command, options.json);
  command->callback([&reading] {
    const auto& chosen = reading.dead_letters;
    const bool one = !chosen.subscription.empty() && chosen.sequence != 0;
    const bool asked = !chosen.by.empty() && !chosen.reason.empty();
    if (chosen.action == Action::show && !(one && asked && !chosen.role.empty()))
      throw CLI::ValidationError("show", "needs --subscription, --sequence, --role, --by and --reason");
    const bool acts = chosen.action == Action::send_again || chosen.action == Action::discard;
    if (acts && !(asked && (chosen.all ? chosen.sequence == 0 : one)))
      throw CLI::ValidationError("send-again and discard",
                                 "need --by and --reason, and --subscription and --sequence, or --all");
    reading.chosen = chosen;
  });
}

void add_bench_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "bench",
          "Measure a hub of its own with invented events: `publish` (receipts and deliveries), or "
          "`history` (start after a kill, idle memory, timeline, replay)",
          "carehub bench --events 500000 --window 1024 --json\n"
          "  carehub bench --subscribers 500 --rate 10000\n"
          "  carehub bench history --events 10000000");
  auto& options = reading.bench;
  using Work = BenchOptions::Work;
  add_choice<Work>(command, "WORK", options.work, "publish or history",
                   {{"publish", Work::publish}, {"history", Work::history}});
  const auto number = [command](const char* name, auto& value, const char* help, double least, double most) {
    command->add_option(name, value, help)
        ->check(CLI::Range(least, most))
        ->capture_default_str()
        ->type_name("N");
  };
  number("--events", options.events, "Events to publish", 1, 1e9);
  number("--preload", options.preload, "Events to publish before anything is measured", 0, 1e9);
  number("--window", options.window, "Events without a receipt at most", 1, limits::kClientPublishQueueMax);
  number("--rate", options.rate, "Events a second at most; 0: as fast as receipts come", 0, 1e7);
  number("--subscribers", options.subscribers,
         "Subscriptions: a council's, a commissioner's, and schools that share the children", 1, 1'000);
  number("--children", options.children, "Children that the events are about", 1, 900'000);
  number("--size", options.size, "Bytes of an event", 1, 256 << 10);
  number("--seed", options.seed, "Decides which child each event is about", 0, 1e15);
  command->add_flag("--curve,!--no-curve", options.curve,
                    "TCP with CURVE; without it the hub's local socket, as TCP is always encrypted");
  command
      ->add_option("--data", options.data,
                   "Directory for the hub's data: empty, or a bench's own; default: a temporary one")
      ->type_name("DIR");
  add_json(command, options.json);
  choose(command, reading, &Reading::bench);
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

}  // namespace

std::variant<Command, Leave> parse_command(std::vector<std::string> arguments) {
  Reading reading;
  CLI::App program("Carehub carries what happens to a child between the agencies that look after the child.",
                   "carehub");
  program.require_subcommand(1);
  program.footer(kExitCodes);
  add_hub_commands(program, reading);
  add_configuration_commands(program, reading);
  add_event_commands(program, reading);
  add_history_commands(program, reading);
  add_replay_command(program, reading);
  add_dead_letter_command(program, reading);
  add_subscriptions_command(program, reading);
  add_bench_command(program, reading);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return Leave{ExitCode::ok, program.help()};  // of the command, once one is chosen
  } catch (const CLI::ParseError& error) {
    return Leave{ExitCode::usage,
                 "carehub: " + std::string(error.what()) + "\nRun carehub --help for the commands.\n"};
  }
  if (!reading.chosen) return Leave{ExitCode::usage, program.help()};
  return *std::move(reading.chosen);
}

ExitCode run_program(std::vector<std::string> arguments, Surroundings& surroundings) {
  auto parsed = parse_command(std::move(arguments));
  if (const auto* leave = std::get_if<Leave>(&parsed)) {
    (leave->code == ExitCode::ok ? surroundings.out : surroundings.err) << leave->text << std::flush;
    return leave->code;
  }
  struct Do {
    Surroundings& surroundings;
    ExitCode operator()(const RunOptions& options) const { return run(options, surroundings); }
    ExitCode operator()(const CheckOptions& options) const { return check(options, surroundings); }
    ExitCode operator()(const TryOptions& options) const { return try_message(options, surroundings); }
    ExitCode operator()(const PublishOptions& options) const { return publish(options, surroundings); }
    ExitCode operator()(const WatchOptions& options) const { return watch(options, surroundings); }
    ExitCode operator()(const TimelineOptions& options) const { return timeline(options, surroundings); }
    ExitCode operator()(const ReplayOptions& options) const { return replay(options, surroundings); }
    ExitCode operator()(const DeadLetterOptions& options) const {
      return dead_letters(options, surroundings);
    }
    ExitCode operator()(const SubscriptionsOptions& options) const {
      return subscriptions(options, surroundings);
    }
    ExitCode operator()(const StatusOptions& options) const { return status(options, surroundings); }
    ExitCode operator()(const RebuildOptions& options) const { return rebuild(options, surroundings); }
    ExitCode operator()(const RecoverOptions& options) const { return recover(options, surroundings); }
    ExitCode operator()(const KeysOptions& options) const { return keys(options, surroundings); }
    ExitCode operator()(const BenchOptions& options) const { return bench(options, surroundings); }
    ExitCode operator()(const VersionOptions& options) const { return version(options, surroundings); }
  };
  return std::visit(Do{surroundings}, std::get<Command>(parsed));
}

}  // namespace carehub::app
