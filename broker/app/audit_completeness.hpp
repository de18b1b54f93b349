#pragma once

#include "broker/app/commands.hpp"

namespace carehub::app {

/// A folder that shows a person's timeline over a span of entries to leave nothing out: the clear bytes of
/// every entry of the span, which name the key that each is sealed under, lead to the signed checkpoint's
/// root; and every event under one of the person's keys is told of.
struct CompletenessOptions {
  std::filesystem::path config;
  std::filesystem::path into;  // a new folder, or an empty one
  PersonOption person;
  std::string from;  // an entry's number, a time, or a day of UTC
  std::string to;    // likewise, and with it; a time is not meant
  std::string role;
  std::filesystem::path keys;  // the hub's public keys; empty: those in its data
  std::string by;
  std::string reason;
  bool json = false;
};
/// Leaves with `wrong_input` where something is left out, which the folder then names. The asking is recorded
/// before the hub answers.
ExitCode audit_completeness(const CompletenessOptions& options, Surroundings& surroundings);

constexpr std::uint64_t kCompletenessEntriesMax = 1'000'000;

}  // namespace carehub::app
