#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "adapters/channel/interpreter.hpp"
#include "adapters/channel/pipe.hpp"
#include "adapters/transports/io_thread.hpp"

namespace carehub::adapters {

/// Since start. received counts messages (each time one is handed over), ignored those that the pack makes
/// nothing of, left_out values that could not be read and were left out; the rest counts publications.
struct InboundCounts {
  std::uint64_t received = 0, busy = 0, accepted = 0, duplicates = 0, not_kept = 0, refused = 0, problems = 0;
  std::uint64_t ignored = 0, left_out = 0;
};

/// The pipe inwards: transport -> interpreter -> hub, and the answer back once every publication of a message
/// has its result. What the hub cannot take now is `busy` to the transport and never acknowledged.
class InboundChannel {
 public:
  /// io and hub outlive the channel; close the hub client only after stop(). Every `report_ms` the hub hears
  /// whom the transport has turned away since.
  InboundChannel(std::string name, Unmappable unmappable, std::unique_ptr<InboundTransport> transport,
                 std::unique_ptr<Interpreter> interpreter, client::HubClient& hub, IoThread& io,
                 std::uint32_t report_ms = 60'000);
  ~InboundChannel();

  const std::string& name() const;
  /// Error as the transport's.
  Result<void> start();
  /// Lets messages under way finish within the transport's bound. Not from the IoThread.
  void stop();
  /// As the transport's.
  void allow(const std::vector<HttpToken>& tokens);
  InboundCounts counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace carehub::adapters
