#pragma once

#include "broker/app/commands.hpp"

namespace carehub::app {

/// A folder that an auditor keeps: entries of a running hub as they are sealed, with a proof each, what a
/// role may see of them, who asked about them, the signed checkpoint, a manifest, and how to check it all
/// with other people's tools.
struct ExportOptions {
  std::filesystem::path config;
  std::filesystem::path into;  // a new folder, or an empty one
  PersonOption person;         // without one: all entries of the span
  std::string from;            // an entry's number, a time, or a day of UTC
  std::string to;              // likewise, and with it; a time is not meant
  std::string role;
  std::filesystem::path keys;  // the hub's public keys; empty: those in its data
  std::string by;
  std::string reason;
  bool every_view = false;  // of a person: what other roles saw of the events, too
  bool json = false;
};
/// The asking is recorded before the hub answers. The folder has its name once it is whole, or is not there.
ExitCode audit_export(const ExportOptions& options, Surroundings& surroundings);

constexpr std::uint64_t kExportEntriesMax = 100'000;

}  // namespace carehub::app
