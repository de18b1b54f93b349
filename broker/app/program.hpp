#pragma once

#include <string>
#include <variant>
#include <vector>

#include "broker/app/accounts.hpp"
#include "broker/app/audit.hpp"
#include "broker/app/audit_completeness.hpp"
#include "broker/app/audit_export.hpp"
#include "broker/app/audit_prove.hpp"
#include "broker/app/audit_questions.hpp"
#include "broker/app/backup.hpp"
#include "broker/app/commands.hpp"
#include "broker/app/policy_questions.hpp"
#include "broker/app/protection.hpp"
#include "broker/app/restore.hpp"
#include "broker/app/sharing_register.hpp"
#include "broker/app/witness.hpp"

namespace carehub::app {

using Command =
    std::variant<RunOptions, CheckOptions, TryOptions, PublishOptions, WatchOptions, TimelineOptions,
                 ReplayOptions, DeadLetterOptions, StatusOptions, SubscriptionsOptions, RebuildOptions,
                 RecoverOptions, AuditOptions, EraseOptions, VaultOptions, KeysOptions, BenchOptions,
                 VersionOptions, AsOfOptions, TrailOptions, ReportOptions, BackupOptions, RestoreOptions,
                 WitnessOptions, ProveOptions, ExportOptions, CompletenessOptions, PolicyExplainOptions,
                 PolicyRegisterOptions, PolicyApplyOptions, PolicyDiffOptions, MarkOptions, BreakGlassOptions,
                 AccountsOptions>;

/// What to print and how to leave when there is nothing to do: help, or a wrong command line.
struct Leave {
  ExitCode code = ExitCode::ok;
  std::string text;
};

/// Reads a command line without the program's name. Opens nothing.
std::variant<Command, Leave> parse_command(std::vector<std::string> arguments);

/// Reads the command line and does what it says.
ExitCode run_program(std::vector<std::string> arguments, Surroundings& surroundings);

}  // namespace carehub::app
