#include "broker/server/falls.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "broker/server/rebuild.hpp"
#include "broker/storage/file.hpp"
#include "tests/fakes/falling.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using core::Step;
using core::Work;
using core::WorkNote;
using server::WorkNoteFile;
namespace fs = std::filesystem;

namespace {

/// What the file would hold had the process ended at this.
void fall(const fs::path& file, const Work& work) {
  alignas(64) fakes::NotePage page{};
  auto opened = storage::File::open(file);
  REQUIRE(opened);
  const auto before = opened->read_at(0, page.size());
  REQUIRE(before);
  REQUIRE(before->size() == page.size());
  std::memcpy(page.data(), before->data(), page.size());
  fakes::fall(page, work);
  Bytes after(page.size());
  std::memcpy(after.data(), page.data(), page.size());
  REQUIRE(opened->write_at(0, after));
}

void fall_over(const fs::path& file, const Work& work) {
  for (std::uint32_t times = 0; times < WorkNote::kFallsMax; ++times) fall(file, work);
}

std::unique_ptr<WorkNoteFile> open(const fs::path& file) {
  auto opened = WorkNoteFile::open(file);
  if (!opened) FAIL(opened.error().text);
  return std::move(*opened);
}

}  // namespace

TEST_CASE("what the hub is at stands in a file of the user's own, and the next hub counts it") {
  const fakes::TemporaryDirectory place;
  const auto file = place.path() / server::kWorkNoteFile;
  const Work work{Step::deliver, 42, 7};
  open(file);
  CHECK(fs::file_size(file) == WorkNote::kBytes);
  CHECK((fs::status(file).permissions() & fs::perms::all) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  for (std::uint32_t times = 1; times <= WorkNote::kFallsMax; ++times) {
    fall(file, work);
    auto copy = place.path() / "copy";
    fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
    const auto note = open(copy);
    REQUIRE(note->note().last_fall());
    CHECK(note->note().last_fall()->times == times);
  }
  const auto note = open(file);
  CHECK_FALSE(note->note().begin(work));
}

TEST_CASE("a note that is cut short or damaged is begun anew, and one that cannot be had stops no hub") {
  const fakes::TemporaryDirectory place;
  const auto file = place.path() / server::kWorkNoteFile;
  for (const std::size_t size : {std::size_t{0}, std::size_t{17}, std::size_t{WorkNote::kBytes + 1}}) {
    std::ofstream(file, std::ios::trunc) << std::string(size, 'x');
    const auto note = open(file);
    CHECK_FALSE(note->note().last_fall());
    CHECK(fs::file_size(file) == WorkNote::kBytes);
  }
  fs::remove(file);
  fs::create_directory(file);
  CHECK(server::open_work_note(place.path()) == nullptr);
  CHECK(server::open_work_note(place.path() / "gone") == nullptr);
}

TEST_CASE("a rebuild passes over an event that it fell over three times, on record, and the hub goes on") {
  test::RunningHub running;
  const auto hospital = test::open_client(running.inproc_options("elwick-hospital"));
  std::vector<Sequence> receipts;
  for (int child = 1; child <= 3; ++child) {
    const fakes::Awaited<client::PublishResult> results;
    REQUIRE(hospital->publish(test::admission(child), fakes::into(results)));
    const auto result = results.get();
    REQUIRE(std::holds_alternative<client::Receipt>(result));
    receipts.push_back(std::get<client::Receipt>(result).sequence);
  }
  hospital->close();
  running.stop();
  fall_over(running.directory.path() / server::kWorkNoteFile, {Step::fold, receipts[1], 0});
  server::RebuildOptions options;
  options.data = running.directory.path();
  const auto rebuilt = server::rebuild_state(options);
  if (!rebuilt) FAIL(rebuilt.error().text);
  running.start();
  const test::Subscriber council(running.inproc_options("northmarch-council"), "council-duty-desk",
                                 "social-care-duty");
  CHECK(test::eventually([&] { return council.deliveries.count() == receipts.size(); }));
}

TEST_CASE("an offer that is passed over is told with its subscription and events, and a replay brings them") {
  test::RunningHub running;
  Sequence event = 0;
  {
    const auto hospital = test::open_client(running.inproc_options("elwick-hospital"));
    const fakes::Awaited<client::PublishResult> results;
    REQUIRE(hospital->publish(test::admission(1), fakes::into(results)));
    event = std::get<client::Receipt>(results.get()).sequence;
    hospital->close();
  }
  running.stop();
  // Behind the event come its offers, in the order of the configuration; the school has no such pupil.
  fall_over(running.directory.path() / server::kWorkNoteFile, {Step::fold, event + 1, 0});
  server::RebuildOptions options;
  options.data = running.directory.path();
  REQUIRE(server::rebuild_state(options));
  running.start();
  const fakes::Awaited<Sequence> sent;
  const fakes::Awaited<Sequence> replayed;
  const auto council = test::open_client(running.inproc_options("northmarch-council"));
  client::SubscribeOptions wanted;
  wanted.name = "council-duty-desk";
  wanted.role = "social-care-duty";
  const auto give = [](const fakes::Awaited<Sequence>& to, const std::vector<wire::DeliveryT>& batch) {
    for (const auto& each : batch) to.give(each.sequence);
  };
  wanted.replayed = [=](const std::string&, const std::vector<wire::DeliveryT>& batch) {
    give(replayed, batch);
  };
  REQUIRE(council->subscribe(
      wanted, [=](const std::vector<wire::DeliveryT>& batch) { give(sent, batch); }, [](const Error&) {}));
  const test::Subscriber commissioner(running.inproc_options("march-commissioner"), "tier4-notice",
                                      "tier4-case-manager");
  CHECK(commissioner.deliveries.get().sequence == event);
  const auto asker = test::open_client(running.inproc_options(""));
  wire::QueryT trail;
  trail.kind = wire::QueryKind::trail;
  trail.reason = "what the hub fell over";
  const fakes::Awaited<wire::PageT> trails;
  REQUIRE(asker->ask(trail, [trails](const Result<client::Reply>& reply) {
    if (reply) trails.give(std::get<wire::PageT>(*reply));
  }));
  const auto told = "not folded: subscription council-duty-desk is not sent " + std::to_string(event);
  CHECK(std::ranges::any_of(trails.get().rows, [&](const auto& row) { return row->text.ends_with(told); }));
  wire::ReplayT replay;
  replay.into = "council-duty-desk";
  replay.first = replay.last = event;
  replay.by = "A Person";
  replay.reason = "the hub fell over the offer";
  const fakes::Awaited<wire::HandledT> handled;
  REQUIRE(asker->ask(replay, [handled](const Result<client::Reply>& reply) {
    if (reply) handled.give(std::get<wire::HandledT>(*reply));
  }));
  CHECK(handled.get().error == wire::ErrorKind::unknown);
  CHECK(replayed.get() == event);
  CHECK(sent.count() == 0);
  asker->close();
  council->close();
}

TEST_CASE("an entry that says who may do what is not passed over: the rebuild says which one, and to ask") {
  test::RunningHub running;
  running.stop();
  // The first entries of a new hub are its policy, its agencies and its subscriptions.
  fall_over(running.directory.path() / server::kWorkNoteFile, {Step::fold, 1, 0});
  server::RebuildOptions options;
  options.data = running.directory.path();
  const auto rebuilt = server::rebuild_state(options);
  REQUIRE_FALSE(rebuilt);
  CHECK(rebuilt.error().kind == ErrorKind::corrupt);
  CHECK(rebuilt.error().text.find("entry 1 ") != std::string::npos);
  CHECK(rebuilt.error().text.find("ask for help") != std::string::npos);
}
