#include "broker/app/long_question.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/app/told.hpp"

using namespace carehub;
using test::Told;

namespace {

/// A hub that says all that it says while it is asked.
class PromptHub final : public client::HubClient {
 public:
  explicit PromptHub(std::vector<client::Reply> replies) : replies_(std::move(replies)) {}
  Result<void> publish(client::Publication, std::function<void(client::PublishResult)>) override {
    return fail(ErrorKind::unavailable, "it is only asked");
  }
  Result<void> subscribe(client::SubscribeOptions, std::function<void(std::vector<wire::DeliveryT>)>,
                         std::function<void(Error)>) override {
    return fail(ErrorKind::unavailable, "it is only asked");
  }
  void answer(const std::string&, std::vector<client::Answer>) override {}
  Result<void> ask(client::Question, std::function<void(Result<client::Reply>)> reply) override {
    for (auto& each : replies_) reply(std::move(each));
    return {};
  }
  bool connected() const override { return true; }
  void close() override {}

 private:
  std::vector<client::Reply> replies_;
};

wire::BackedUpT far(std::uint64_t done, std::uint64_t all, bool last = false) {
  wire::BackedUpT told;
  told.text = "searching the ledger, entries";
  told.done = done;
  told.all = all;
  told.last = last;
  return told;
}

std::vector<client::Reply> replies(wire::BackedUpT first, client::Reply last) {
  std::vector<client::Reply> all;
  all.emplace_back(std::move(first));
  all.push_back(std::move(last));
  return all;
}

}  // namespace

TEST_CASE("how far the hub is stands on standard error until the frame that ends it") {
  wire::ErasedT erased;
  erased.events = 3;
  PromptHub hub(replies(far(25, 100), std::move(erased)));
  Told told;
  const auto ended = app::ask_long(hub, wire::EraseT{}, "stopped", told.surroundings);
  REQUIRE(ended);
  CHECK(ended->events == 3);
  CHECK(told.err.str() == "searching the ledger, entries: 25 of 100 (25 %)\n");
  CHECK(told.out.str().empty());
}

TEST_CASE("a backup has come to its end with the frame that is its last") {
  auto end = far(7, 7, true);
  end.sequence = 12;
  PromptHub hub(replies(far(5, 7), std::move(end)));
  Told told;
  const auto ended = app::ask_long(hub, wire::BackupT{}, "stopped", told.surroundings);
  REQUIRE(ended);
  CHECK(ended->sequence == 12);
}

TEST_CASE("who is asked to stop waits no more for what the hub works on") {
  PromptHub hub({});
  Told told;
  told.stop = true;
  const auto ended = app::ask_long(hub, wire::EraseT{}, "the hub gives up its search", told.surroundings);
  REQUIRE(!ended);
  CHECK(ended.error().text == "the hub gives up its search");
}

TEST_CASE("another frame than was asked for is no answer") {
  PromptHub hub(replies(far(25, 100), wire::PageT{}));
  Told told;
  CHECK(!app::ask_long(hub, wire::EraseT{}, "stopped", told.surroundings));
}
