#include "adapters/console/worker.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

using carehub::adapters::Worker;

TEST_CASE("what takes long is done away from who asks, in turn, and no more than a few wait") {
  Worker worker;
  std::promise<std::thread::id> there;
  std::promise<void> go;
  // The first holds the worker until the others have been asked for.
  REQUIRE(worker.add([&] {
    there.set_value(std::this_thread::get_id());
    go.get_future().wait();
  }));
  CHECK(there.get_future().get() != std::this_thread::get_id());
  std::vector<std::size_t> order;
  std::promise<void> last;
  for (std::size_t each = 0; each < Worker::kWaitingMax; ++each)
    CHECK(worker.add([&, each] {
      order.push_back(each);
      if (each + 1 == Worker::kWaitingMax) last.set_value();
    }));
  CHECK_FALSE(worker.add([&] { order.push_back(99); }));
  go.set_value();
  last.get_future().wait();
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 7});
}
