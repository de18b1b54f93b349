#include "broker/app/replay_queue.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using app::ReplayQueue;

namespace {

constexpr std::chrono::milliseconds kAtOnce{0};

Result<client::Reply> part(Sequence next, std::size_t bytes) {
  wire::ReplayedT frame;
  frame.next = next;
  frame.deliveries.push_back(std::make_unique<wire::DeliveryT>());
  frame.deliveries[0]->view.resize(bytes);
  return client::Reply(std::move(frame));
}

Sequence next_of(const std::optional<Result<client::Reply>>& reply) {
  REQUIRE(reply);
  REQUIRE(reply->has_value());
  return std::get<wire::ReplayedT>(**reply).next;
}

}  // namespace

TEST_CASE("an output that keeps up gets every part of a replay, however much that is") {
  ReplayQueue queue(10'000);
  for (Sequence next = 1; next <= 100; ++next) {
    queue.push(part(next, 4'000));
    CHECK(next_of(queue.pop(kAtOnce)) == next);
  }
  CHECK_FALSE(queue.pop(kAtOnce));
}

TEST_CASE("what waits for a slow output is bounded: it gets that in order, and then how to go on") {
  ReplayQueue queue(10'000);
  for (Sequence next = 1; next <= 50; ++next) queue.push(part(next, 4'000));
  CHECK(next_of(queue.pop(kAtOnce)) == 1);
  CHECK(next_of(queue.pop(kAtOnce)) == 2);
  queue.push(part(51, 1));  // nothing is taken up again behind a gap
  const auto ended = queue.pop(kAtOnce);
  REQUIRE(ended);
  REQUIRE_FALSE(ended->has_value());
  CHECK(ended->error().kind == ErrorKind::overloaded);
  CHECK(ended->error().text.find("--rate") != std::string::npos);
  CHECK_FALSE(queue.pop(kAtOnce));
}

TEST_CASE("what is no part of a replay goes through as it is") {
  ReplayQueue queue(1);
  queue.push(fail(ErrorKind::unavailable, "the hub is gone"));
  const auto told = queue.pop(kAtOnce);
  REQUIRE(told);
  CHECK(told->error().text == "the hub is gone");
}
