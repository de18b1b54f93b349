#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/app/program.hpp"

namespace CLI {
class App;
}

/// How the commands' options are read. Whoever includes this reads command lines; nobody else needs it.
namespace carehub::app {

/// Options of all commands, filled while the command line is read; `chosen` says which command it was.
struct Reading {
  RunOptions run, broker, adapter;
  CheckOptions check;
  TryOptions try_message;
  PublishOptions publish;
  WatchOptions watch;
  TimelineOptions timeline;
  AsOfOptions as_of;
  TrailOptions trail;
  ReportOptions report;
  ReplayOptions replay;
  DeadLetterOptions dead_letters;
  SubscriptionsOptions subscriptions;
  StatusOptions status;
  RebuildOptions rebuild;
  RecoverOptions recover;
  AuditOptions audit;
  ProveOptions prove;
  ExportOptions audit_export;
  CompletenessOptions completeness;
  PolicyExplainOptions policy_explain;
  PolicyRegisterOptions policy_register;
  PolicyDiffOptions policy_diff;
  PolicyApplyOptions policy_apply;
  MarkOptions mark;
  BreakGlassOptions break_glass;
  EraseOptions erase;
  VaultOptions vault;
  KeysOptions keys;
  BenchOptions bench;
  VersionOptions version;
  WitnessOptions witness;
  BackupOptions backup;
  RestoreOptions restore;
  AccountsOptions accounts;
  std::optional<Command> chosen;
};

/// A command of the program, with an example in its help.
CLI::App* add(CLI::App& program, const char* name, const char* description, const char* example);
void when_chosen(CLI::App* command, std::function<void()> then);

void add_config(CLI::App* command, std::filesystem::path& config);
void add_json(CLI::App* command, bool& json);
void add_person(CLI::App* command, PersonOption& person, bool required);
void add_record(CLI::App* command, std::string& by, std::string& reason, const char* who);
void add_asker(CLI::App* command, std::string& by, std::string& reason);
void add_role(CLI::App* command, std::string& role, std::string& agency);
void add_filter(CLI::App* command, FilterWords& filter);
/// A positional word, one of these; the first when it is not given. `given` hears which.
void add_word(CLI::App* command, const char* name, const char* help, const std::vector<std::string>& words,
              std::function<void(std::size_t)> given);

template <class Choice>
void add_choice(CLI::App* command, const char* name, Choice& choice, const char* help,
                const std::vector<std::pair<std::string, Choice>>& meanings) {
  std::vector<std::string> words;
  for (const auto& [word, meaning] : meanings) words.push_back(word);
  add_word(command, name, help, words,
           [&choice, meanings](std::size_t index) { choice = meanings[index].second; });
}

template <class Options>
void choose(CLI::App* command, Reading& reading, Options Reading::* options) {
  when_chosen(command, [&reading, options] { reading.chosen = reading.*options; });
}

/// What an auditor does with a stopped hub's ledger, a backup or a proof.
void add_audit_command(CLI::App& program, Reading& reading);
/// What another agency runs against this one's hub.
void add_witness_command(CLI::App& program, Reading& reading);
/// What operators and auditors ask of a running hub: timeline, status, replay, dead-letters, subscriptions.
void add_operator_commands(CLI::App& program, Reading& reading);

/// What a running hub is asked about its policy: explain, diff, apply. And the register out of a
/// configuration.
void add_policy_command(CLI::App& program, Reading& reading);

/// Marks of a protected child, and an agency's way past its relationships.
void add_protection_commands(CLI::App& program, Reading& reading);

/// Backups of a running hub, and what is made of them.
void add_backup_commands(CLI::App& program, Reading& reading);

/// Who may sign in to the console.
void add_accounts_command(CLI::App& program, Reading& reading);

/// What an auditor asks of a running hub, below `audit`: as-of, trail, report, export, completeness.
void add_audit_questions(CLI::App& audit, Reading& reading);

}  // namespace carehub::app
