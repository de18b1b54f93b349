#include "broker/server/hub.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/crash/disk.hpp"
#include "tests/crash/promises.hpp"
#include "tests/crash/whole_hub.hpp"

using namespace carehub;
using crash::Disk;
using crash::Fault;
using crash::inproc;
using crash::start_hub;

namespace {

constexpr std::size_t kBefore = 3;  // messages before the fault is set
constexpr std::size_t kMessages = 10;

/// A hospital that publishes and a council that listens, through two lives of their hub. The messages are the
/// same in both, so that the second life tells what the first one kept.
class TwoLives {
 public:
  TwoLives() {
    for (std::size_t at = 0; at < kMessages; ++at)
      messages_.push_back(test::admission(static_cast<int>(at) + 1));
  }

  /// Publishes until all are answered or the hub has stopped. What the hub says at its end.
  Result<void> first(const std::filesystem::path& data, Disk& disk, const Fault& fault) {
    const auto hub = start_hub(data);
    std::vector<fakes::Awaited<client::PublishResult>> results(kMessages);
    {
      const test::Subscriber council(inproc(*hub, "northmarch-council"), "council-duty-desk",
                                     "social-care-duty");
      const auto hospital = test::open_client(inproc(*hub, "elwick-hospital"));
      for (std::size_t at = 0; at < kMessages; ++at) {
        if (at == kBefore) disk.plan(fault);
        REQUIRE(hospital->publish(messages_[at], fakes::into(results[at])));
        REQUIRE(test::eventually([&] { return results[at].count() > 0 || !hub->running(); }));
      }
      hospital->close();
      note_deliveries(council);
    }
    const Result<void> stopped = hub->stop();
    for (std::size_t at = 0; at < kMessages; ++at) {
      if (results[at].count() == 0) continue;
      const client::PublishResult result = results[at].get();
      if (const auto* const receipt = std::get_if<client::Receipt>(&result))
        receipts_[at] = receipt->sequence;
    }
    REQUIRE(receipts_.size() >= kBefore);
    return stopped;
  }

  /// Every receipt of the first life still holds, what had none gets one, and the council has seen all.
  void second(const std::filesystem::path& data) {
    const auto hub = start_hub(data);
    {
      const test::Subscriber council(inproc(*hub, "northmarch-council"), "council-duty-desk",
                                     "social-care-duty");
      const auto hospital = test::open_client(inproc(*hub, "elwick-hospital"));
      std::set<Sequence> all;
      for (std::size_t at = 0; at < kMessages; ++at) {
        CAPTURE(at);
        const fakes::Awaited<client::PublishResult> results;
        REQUIRE(hospital->publish(messages_[at], fakes::into(results)));
        const client::PublishResult result = results.get();
        const auto* const receipt = std::get_if<client::Receipt>(&result);
        REQUIRE(receipt != nullptr);
        all.insert(receipt->sequence);
        if (!receipts_.contains(at)) continue;
        CHECK(receipt->duplicate);
        CHECK(receipt->sequence == receipts_[at]);
      }
      CHECK(all.size() == kMessages);
      CHECK(test::eventually([&] {
        note_deliveries(council);
        return std::includes(delivered_.begin(), delivered_.end(), all.begin(), all.end());
      }));
      hospital->close();
    }
    const Result<void> stopped = hub->stop();
    if (!stopped) FAIL(stopped.error().text);
    crash::require_sound(data);
  }

 private:
  void note_deliveries(const test::Subscriber& council) {
    for (std::size_t at = 0; at < council.deliveries.count(); ++at)
      delivered_.insert(council.deliveries.get(at).sequence);
  }

  std::vector<client::Publication> messages_;
  std::map<std::size_t, Sequence> receipts_;
  std::set<Sequence> delivered_;
};

}  // namespace

TEST_CASE("a hub whose disk fails stops with one line, and after a restart every receipt holds") {
  const int error = GENERATE(EIO, ENOSPC);
  bool reached = true;
  // Each operation meets one of the two; the storage alone meets both at each, in errors_test.
  for (std::uint64_t at = error == EIO ? 1 : 2; reached; at += 2) {
    const fakes::TemporaryDirectory place;
    Disk disk(place.path());
    TwoLives lives;
    const auto ended =
        lives.first(place.path(), disk, {.kind = Fault::Kind::errors, .at = at, .error = error});
    CAPTURE(error, at, disk.what());
    reached = disk.operations() >= at;
    if (!ended) {
      CAPTURE(ended.error().text);
      CHECK(disk.happened());
      CHECK(ended.error().kind == ErrorKind::unavailable);
      CHECK(ended.error().text.find('\n') == std::string::npos);
      CHECK(ended.error().text.find("restart") != std::string::npos);
    }
    disk.plan({});
    lives.second(place.path());
  }
}

TEST_CASE("a hub that loses power gave no receipt that does not hold afterwards") {
  for (const std::uint64_t seed : crash::seeds(25)) {
    fakes::SeededRandom random(seed);
    const fakes::TemporaryDirectory place;
    const fakes::TemporaryDirectory next_place;
    Disk disk(place.path());
    TwoLives lives;
    static_cast<void>(
        lives.first(place.path(), disk, {.kind = Fault::Kind::power_cut, .at = 1 + random.below(40)}));
    CAPTURE(seed, disk.what());
    disk.cut();
    disk.survivors(random, next_place.path());
    lives.second(next_place.path());
  }
}
