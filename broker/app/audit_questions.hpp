#pragma once

#include "broker/app/commands.hpp"

namespace carehub::app {

/// How rows are printed: for people, one JSON object a line, or CSV with a header.
struct RowsAs {
  bool json = false;
  bool csv = false;
};

/// What an agency had been offered of a person by a moment.
struct AsOfOptions {
  std::filesystem::path config;
  PersonOption person;
  std::string agency;
  std::string at;  // RFC 3339, or a day
  std::string by;
  std::string reason;
  bool fields = false;
  RowsAs rows;
};
ExitCode audit_as_of(const AsOfOptions& options, Surroundings& surroundings);

/// Who asked, exported, replayed or changed what.
struct TrailOptions {
  std::filesystem::path config;
  PersonOption person;
  std::string since;  // RFC 3339, or a day
  std::string until;
  std::string by;
  std::string reason;
  RowsAs rows;
};
ExitCode audit_trail(const TrailOptions& options, Surroundings& surroundings);

/// The figures of a quarter.
struct ReportOptions {
  std::filesystem::path config;
  std::string quarter;  // 2026-Q1
  std::uint64_t definition = 1;
  std::optional<std::uint64_t> suppress_below;  // nullopt: 5 as CSV, none otherwise
  std::string by;
  std::string reason;
  RowsAs rows;
};
ExitCode audit_report(const ReportOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
