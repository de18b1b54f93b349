#include "adapters/channel/outbound_channel.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/recording_client.hpp"

namespace carehub::adapters {
namespace {

using fakes::RecordingClient;

class NumberRenderer final : public Renderer {
 public:
  Result<Rendered> render(const wire::DeliveryT& delivery) const override {
    if (delivery.sequence == 13) return fail(ErrorKind::invalid, "the pack has no row for this");
    const std::string text = "event " + std::to_string(delivery.sequence);
    return Rendered{Bytes(text.begin(), text.end()), "text/plain", "id-" + std::to_string(delivery.sequence)};
  }
};

struct Sent {
  Rendered message;
  std::function<void(SendResult)> done;
};

class HandSender final : public Sender {
 public:
  explicit HandSender(std::vector<Sent>& sent) : sent_(sent) {}
  void send(Rendered message, std::function<void(SendResult)> done) override {
    sent_.push_back({std::move(message), std::move(done)});
  }
  void stop() override {}

 private:
  std::vector<Sent>& sent_;
};

struct Pipe {
  Pipe() : channel(options(), std::make_unique<NumberRenderer>(), std::make_unique<HandSender>(sent), hub) {
    REQUIRE(channel.start());
  }
  static client::SubscribeOptions options() {
    client::SubscribeOptions options;
    options.name = "council-duty-desk";
    options.role = "social-care-duty";
    options.credit = 64;
    return options;
  }
  void deliver(std::vector<Sequence> sequences) {
    std::vector<wire::DeliveryT> deliveries(sequences.size());
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      deliveries[i].sequence = sequences[i];
      deliveries[i].appended_at = 1'772'357'400'000'000;
    }
    hub.deliver(std::move(deliveries));
  }

  std::vector<Sent> sent;
  RecordingClient hub;
  OutboundChannel channel;
};

TEST_CASE("the channel subscribes by its own name and role") {
  Pipe pipe;
  CHECK(pipe.hub.subscription().name == "council-duty-desk");
  CHECK(pipe.hub.subscription().role == "social-care-duty");
  CHECK(pipe.hub.subscription().credit == 64);
  CHECK(pipe.hub.subscription().durable);
}

TEST_CASE("a replay is marked for the partner and answered under its own name") {
  Pipe pipe;
  pipe.deliver({7});
  std::vector<wire::DeliveryT> again(1);
  again[0].sequence = 7;
  again[0].replay = true;
  pipe.hub.subscription().replayed("council-duty-desk/replay-9", std::move(again));
  REQUIRE(pipe.sent.size() == 2);
  CHECK(pipe.sent[0].message.replay.empty());
  CHECK(pipe.sent[1].message.replay == "council-duty-desk/replay-9");
  pipe.sent[1].done({});
  CHECK(pipe.hub.answered_streams() == std::vector<std::string>{"council-duty-desk/replay-9"});
  pipe.sent[0].done({});
  CHECK(pipe.hub.answered_streams().back() == "council-duty-desk");
}

TEST_CASE("a delivery is acked only when the partner has it") {
  Pipe pipe;
  pipe.deliver({7});
  REQUIRE(pipe.sent.size() == 1);
  CHECK(text_of(pipe.sent[0].message.bytes) == "event 7");
  CHECK(pipe.sent[0].message.sequence == 7);
  CHECK(pipe.sent[0].message.appended_at.us == 1'772'357'400'000'000);
  CHECK(pipe.hub.answers().empty());
  pipe.sent[0].done({});
  REQUIRE(pipe.hub.answers().size() == 1);
  CHECK(pipe.hub.answers()[0].sequence == 7);
  CHECK_FALSE(pipe.hub.answers()[0].nak);
}

TEST_CASE("many deliveries are under way at once and each is answered when it is done") {
  Pipe pipe;
  pipe.deliver({1, 2, 3});
  REQUIRE(pipe.sent.size() == 3);
  pipe.sent[2].done({});
  pipe.sent[0].done({ledger::NakKind::unavailable, "http 503", 5000});
  pipe.sent[1].done({ledger::NakKind::rejected, "http 422", 0});
  const auto answers = pipe.hub.answers();
  REQUIRE(answers.size() == 3);
  CHECK(answers[0].sequence == 3);
  CHECK(answers[1].nak == ledger::NakKind::unavailable);
  CHECK(answers[1].retry_after_ms == 5000);
  CHECK(answers[2].nak == ledger::NakKind::rejected);
  CHECK(answers[2].code == "http 422");
  const OutboundCounts counts = pipe.channel.counts();
  CHECK(counts.received == 3);
  CHECK(counts.sent == 1);
  CHECK(counts.rejected == 1);
  CHECK(counts.unavailable == 1);
}

TEST_CASE("what the pack cannot express is rejected and the next delivery goes on") {
  Pipe pipe;
  pipe.deliver({13, 14});
  REQUIRE(pipe.sent.size() == 1);
  const auto answers = pipe.hub.answers();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].sequence == 13);
  CHECK(answers[0].nak == ledger::NakKind::rejected);
}

TEST_CASE("what is not answered when the channel stops stays the hub's") {
  Pipe pipe;
  pipe.deliver({1});
  pipe.channel.stop();
  pipe.sent[0].done({});
  pipe.deliver({2});
  CHECK(pipe.hub.answers().empty());
  CHECK(pipe.sent.size() == 1);
}

}  // namespace
}  // namespace carehub::adapters
