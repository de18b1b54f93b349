#pragma once

#include <string>
#include <vector>

#include "broker/app/commands.hpp"

namespace carehub::app {

/// Marks of a protected child, set or lifted in a running hub.
struct MarkOptions {
  std::filesystem::path config;
  PersonOption person;
  std::vector<std::string> marks;  // words of mark_words()
  bool lift = false;
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode mark_child(const MarkOptions& options, Surroundings& surroundings);

/// The words for marks, as mappings write them.
std::vector<std::string> mark_words();

/// One role of one agency is let in past its relationships to a child, for a time.
struct BreakGlassOptions {
  std::filesystem::path config;
  PersonOption person;
  std::string role;
  std::string agency;  // empty: the one that has the role
  std::uint32_t minutes = 0;
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode break_glass(const BreakGlassOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
