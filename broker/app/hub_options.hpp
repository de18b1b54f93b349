#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "broker/app/exit_code.hpp"
#include "broker/server/config.hpp"
#include "broker/server/hub.hpp"

namespace carehub::app {

/// The hub's options out of its configuration; reads the secret key where there is one. `invalid` names its
/// file.
Result<server::HubOptions> hub_options(const server::HubConfig& config);

/// Why a hub did not start, and the code to leave with.
struct StartFailure {
  ExitCode code;
  std::string text;
};

tl::expected<std::unique_ptr<server::Hub>, StartFailure> start_hub(server::HubOptions options);

/// Lines such as "folding the ledger: 120000 of 900000 (13 %)", at most one a second and none in the first.
std::function<void(std::uint64_t done, std::uint64_t all)> progress_on(
    std::ostream& out, std::string what = "folding the ledger");

/// Says once in each period that something is still under way whose end nobody knows, until end(). Nothing
/// else may write to the stream before that.
class StillBusy {
 public:
  StillBusy(std::ostream& out, std::string what, std::chrono::milliseconds period = std::chrono::seconds(1));
  ~StillBusy() { end(); }
  StillBusy(const StillBusy&) = delete;
  StillBusy& operator=(const StillBusy&) = delete;
  void end();  // returns when nothing is written any more; may be called again

 private:
  std::mutex mutex_;  // between the ticking thread and who ends it
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace carehub::app
