#include "broker/app/program.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "broker/app/command_line.hpp"
#include "broker/base/limits.hpp"

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

void add_vault_command(CLI::App& program, Reading& reading) {
  auto* command =
      add(program, "vault", "Give the vault of a stopped hub a new master key; the ledger only records it",
          "carehub vault rotate hub.toml --reason 'an administrator has left'\n  "
          "carehub vault rotate hub.toml --new-key-file next.key --reason 'yearly'");
  auto& options = reading.vault;
  add_choice(command, "ACTION", options.action, "rotate", {{"rotate", VaultOptions::Action::rotate}});
  add_config(command, options.config);
  command
      ->add_option("--new-key-file", options.new_key_file,
                   "64 hexadecimal characters; where the master key is a credential or a command's output")
      ->type_name("FILE");
  add_record(command, options.by, options.reason, "Who decides");
  add_json(command, options.json);
  choose(command, reading, &Reading::vault);
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

}  // namespace

std::variant<Command, Leave> parse_command(std::vector<std::string> arguments) {
  Reading reading;
  CLI::App program("Carehub carries what happens to a child between the agencies that look after the child.",
                   "carehub");
  program.require_subcommand(1);
  program.footer(kExitCodes);
  add_hub_commands(program, reading);
  add_vault_command(program, reading);
  add_configuration_commands(program, reading);
  add_event_commands(program, reading);
  add_operator_commands(program, reading);
  add_policy_command(program, reading);
  add_protection_commands(program, reading);
  add_backup_commands(program, reading);
  add_audit_command(program, reading);
  add_witness_command(program, reading);
  add_accounts_command(program, reading);
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
    ExitCode operator()(const AuditOptions& options) const { return audit(options, surroundings); }
    ExitCode operator()(const AsOfOptions& options) const { return audit_as_of(options, surroundings); }
    ExitCode operator()(const TrailOptions& options) const { return audit_trail(options, surroundings); }
    ExitCode operator()(const ReportOptions& options) const { return audit_report(options, surroundings); }
    ExitCode operator()(const ProveOptions& options) const { return audit_prove(options, surroundings); }
    ExitCode operator()(const ExportOptions& options) const { return audit_export(options, surroundings); }
    ExitCode operator()(const CompletenessOptions& options) const {
      return audit_completeness(options, surroundings);
    }
    ExitCode operator()(const PolicyRegisterOptions& options) const {
      return policy_register(options, surroundings);
    }
    ExitCode operator()(const PolicyExplainOptions& options) const {
      return policy_explain(options, surroundings);
    }
    ExitCode operator()(const PolicyDiffOptions& options) const { return policy_diff(options, surroundings); }
    ExitCode operator()(const PolicyApplyOptions& options) const {
      return policy_apply(options, surroundings);
    }
    ExitCode operator()(const MarkOptions& options) const { return mark_child(options, surroundings); }
    ExitCode operator()(const BreakGlassOptions& options) const { return break_glass(options, surroundings); }
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
    ExitCode operator()(const EraseOptions& options) const { return erase(options, surroundings); }
    ExitCode operator()(const VaultOptions& options) const { return vault(options, surroundings); }
    ExitCode operator()(const KeysOptions& options) const { return keys(options, surroundings); }
    ExitCode operator()(const BackupOptions& options) const { return backup(options, surroundings); }
    ExitCode operator()(const RestoreOptions& options) const { return restore(options, surroundings); }
    ExitCode operator()(const BenchOptions& options) const { return bench(options, surroundings); }
    ExitCode operator()(const WitnessOptions& options) const { return witness(options, surroundings); }
    ExitCode operator()(const AccountsOptions& options) const { return accounts(options, surroundings); }
    ExitCode operator()(const VersionOptions& options) const { return version(options, surroundings); }
  };
  return std::visit(Do{surroundings}, std::get<Command>(parsed));
}

}  // namespace carehub::app
