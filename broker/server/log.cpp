#include "broker/server/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace carehub::server {

namespace {

constexpr const char* kName = "carehub";

std::shared_ptr<spdlog::logger> logger() {
  auto found = spdlog::get(kName);
  return found != nullptr ? found : spdlog::stderr_logger_mt(kName);
}

}  // namespace

Result<void> start_log(const LogOptions& options) {
  spdlog::drop(kName);
  try {
    const auto made = options.file.empty() ? spdlog::stderr_logger_mt(kName)
                                           : spdlog::basic_logger_mt(kName, options.file.string());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->set_level(options.quiet ? spdlog::level::warn : spdlog::level::info);
    made->flush_on(spdlog::level::info);
    spdlog::set_default_logger(made);  // what channels in this process say goes the same way
  } catch (const spdlog::spdlog_ex&) {
    return fail(ErrorKind::unavailable, "log file `" + options.file.string() + "` cannot be written");
  }
  return {};
}

void log_notice(const std::string& code, const std::string& text) { logger()->info("{} {}", code, text); }
void log_alarm(const std::string& code, const std::string& text) { logger()->warn("{} {}", code, text); }
void log_failure(const std::string& code, const std::string& text) { logger()->error("{} {}", code, text); }

void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace carehub::server
