#include "adapters/transports/send_queue.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"

namespace carehub::adapters {
namespace {

Rendered message_of(std::size_t bytes) {
  Rendered message;
  message.bytes.assign(bytes, 'x');
  return message;
}

TEST_CASE("the oldest is taken, with those behind it that fit") {
  SendQueue queue;
  for (const std::size_t bytes : {50, 3, 4, 5}) queue.send(message_of(bytes), [](const SendResult&) {});
  CHECK(queue.take(10).size() == 1);
  CHECK(queue.take(10).size() == 2);
  CHECK(queue.take(10).size() == 1);
}

TEST_CASE("what a queue that stops has left is answered, and so is what comes after") {
  SendQueue queue;
  int unavailable = 0;
  const auto count = [&](const SendResult& result) {
    if (result.nak == ledger::NakKind::unavailable) ++unavailable;
  };
  queue.send(message_of(1), count);
  queue.send(message_of(1), count);
  queue.stop();
  CHECK(unavailable == 2);
  queue.send(message_of(1), count);
  CHECK(unavailable == 3);
  CHECK(queue.take(10).empty());
}

TEST_CASE("a queue takes no more than a subscription's credit") {
  int unavailable = 0;  // outlives the queue, whose end answers what waits
  SendQueue queue;
  for (std::size_t i = 0; i <= limits::kCreditMax; ++i)
    queue.send(message_of(0), [&](const SendResult&) { ++unavailable; });
  CHECK(unavailable == 1);
}

}  // namespace
}  // namespace carehub::adapters
