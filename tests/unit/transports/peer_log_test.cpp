#include "adapters/transports/peer_log.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/captured_log.hpp"

namespace carehub::adapters {
namespace {

TEST_CASE("a hostile peer gets one line a second in the log, without its bytes") {
  const fakes::CapturedLog log;
  PeerLog peers;
  for (int time = 0; time < 1'000; ++time) peers.warn("elwick-adt", "192.0.2.9:1", "the peer is too slow");
  // A machine that stalls for seconds may see a few.
  CHECK(log.lines_with("channel=elwick-adt peer=192.0.2.9:1 the peer is too slow") >= 1);
  CHECK(log.lines_with("\n") < 100);
}

}  // namespace
}  // namespace carehub::adapters
