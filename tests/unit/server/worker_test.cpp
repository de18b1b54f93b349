#include "broker/server/worker.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

using carehub::server::Worker;

TEST_CASE("work is done in the order in which it came, and all of it before the worker goes") {
  std::vector<int> done;
  {
    Worker worker("test");
    for (int each = 0; each < 1'000; ++each) worker.run([&done, each] { done.push_back(each); });
  }
  REQUIRE(done.size() == 1'000);
  CHECK(std::is_sorted(done.begin(), done.end()));
}

TEST_CASE("work may leave more work") {
  int count = 0;
  {
    Worker worker("test");
    worker.run([&] { worker.run([&] { ++count; }); });
  }
  CHECK(count == 1);
}
