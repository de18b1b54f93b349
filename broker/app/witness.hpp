#pragma once

#include <filesystem>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::app {

/// What another agency runs to hold a hub to its own history.
struct WitnessOptions {
  enum class Action : std::uint8_t { run, keygen } action = Action::run;
  std::filesystem::path key;              // the witness's own signing key
  std::string name;                       // of keygen: the name in the key
  std::string hub;                        // endpoint, tcp:// or ipc://
  std::filesystem::path hub_public_file;  // over TCP: the hub's CURVE key
  std::filesystem::path secret_file;      // over TCP: this process's own
  std::filesystem::path keys;             // the keys that sign the hub's checkpoints, as its people gave them
  std::filesystem::path memory;           // directory of what was signed
  bool once = false;
  std::uint32_t interval_s = 10;
  bool json = false;
};

/// Looks at the hub's newest checkpoint again and again, cosigns it where it extends what was cosigned
/// before, and hands that in. `corrupt` when the hub shows another history.
ExitCode witness(const WitnessOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
