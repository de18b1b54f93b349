#pragma once

#include <atomic>
#include <sstream>
#include <string>

#include "broker/app/surroundings.hpp"

namespace carehub::test {

/// What a command reads and says, and whether it is told to stop.
struct Told {
  explicit Told(const std::string& input = {}) : in(input) {}
  std::istringstream in;
  std::ostringstream out, err;
  std::atomic<bool> stop{false};
  app::Surroundings surroundings{in, out, err, [this](std::chrono::milliseconds) { return stop.load(); }};

  bool said(const std::string& text) const { return out.str().find(text) != std::string::npos; }
  bool complained(const std::string& text) const { return err.str().find(text) != std::string::npos; }
};

}  // namespace carehub::test
