#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

struct AccountsOptions {
  std::filesystem::path config;
  enum class Action : std::uint8_t { list, add, remove, reset } action = Action::list;
  std::string name;                     // of all but list
  std::string roles;                    // of add, with commas
  std::string until;                    // of add: the last day
  std::filesystem::path password_file;  // of add and reset; empty: the terminal
  bool json = false;
};

/// Changes who may sign in to the console, in the file that a running hub looks at. A password is read from
/// the terminal or a file that is its owner's alone; what a device needs for its codes is printed once.
ExitCode accounts(const AccountsOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
