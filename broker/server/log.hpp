#pragma once

#include <filesystem>
#include <string>

#include "broker/base/result.hpp"

/// The hub's log: one line an event, `time level code text`, with stable codes that the runbook lists. No
/// name, number or payload goes in, ever.
namespace carehub::server {

struct LogOptions {
  std::filesystem::path file;  // empty: standard error
  bool quiet = false;          // warnings and worse only
};

/// Error `unavailable`: the file cannot be written.
Result<void> start_log(const LogOptions& options);

void log_notice(const std::string& code, const std::string& text);
void log_alarm(const std::string& code, const std::string& text);
void log_failure(const std::string& code, const std::string& text);

/// A core dump would hold keys and children's data in clear: there is none, and no debugger of another user
/// attaches.
void forbid_core_dumps();

}  // namespace carehub::server
