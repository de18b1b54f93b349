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

}  // namespace carehub::app
