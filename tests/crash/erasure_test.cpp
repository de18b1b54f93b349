// A child is erased, and the hub is killed or loses power at each operation of it that changes the disk.
#include <catch2/catch.hpp>
#include <map>
#include <optional>

#include "broker/server/hub.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"
#include "tests/crash/disk.hpp"
#include "tests/crash/whole_hub.hpp"

using namespace carehub;
using crash::Disk;
using crash::Fault;
using crash::inproc;
using crash::start_hub;
namespace fs = std::filesystem;

namespace {

constexpr int kGone = 1;
constexpr int kStays = 2;
constexpr std::size_t kEventsEach = 2;
constexpr std::uint64_t kOperationsMax = 2'000;

/// Two children with events that a council has taken, or that wait for a school; and of each a message that
/// is refused.
void write_past(const server::Hub& hub) {
  const test::Subscriber council(inproc(hub, "northmarch-council"), "council-duty-desk", "social-care-duty");
  const auto hospital = test::open_client(inproc(hub, "elwick-hospital"));
  const auto publish = [&](const client::Publication& message) {
    const fakes::Awaited<client::PublishResult> results;
    REQUIRE(hospital->publish(message, fakes::into(results)));
    static_cast<void>(results.get());
  };
  for (const int child : {kGone, kStays}) {
    for (std::size_t each = 0; each < kEventsEach; ++each) publish(test::admission(child));
    fakes::EventSpec spec;
    spec.child = child;
    auto refused = fakes::make_event(spec);
    refused.type = event::EventType::crisis_contact;  // without its payload
    client::Publication message = test::admission(child);
    message.event = fakes::item_of(refused).event;
    publish(message);
  }
  REQUIRE(test::eventually([&] { return council.deliveries.count() == 2 * kEventsEach; }));
  hospital->close();
}

wire::EraseT erasure(bool preview) {
  wire::EraseT erase;
  erase.person = "nhs:" + fakes::test_nhs_number(kGone);
  erase.preview = preview;
  erase.by = "A Test";
  erase.reason = "a test";
  return erase;
}

/// What the hub says; nullopt: it has stopped before it said anything.
std::optional<wire::ErasedT> ask(const server::Hub& hub, bool preview) {
  const auto asker = test::open_client(inproc(hub, ""));
  const fakes::Awaited<Result<client::Reply>> replies;
  REQUIRE(asker->ask(erasure(preview), fakes::into(replies)));
  REQUIRE(test::eventually([&] { return replies.count() > 0 || !hub.running(); }));
  asker->close();
  if (replies.count() == 0) return std::nullopt;
  auto reply = replies.get();
  if (reply) return std::get<wire::ErasedT>(std::move(*reply));
  wire::ErasedT failed;
  failed.error = static_cast<wire::ErrorKind>(reply.error().kind);
  return failed;
}

/// What a stopped hub's ledger and vault still tell.
struct Told {
  std::map<std::string, std::size_t> events;  // by NHS number
  std::size_t refused = 0;
  std::size_t closed = 0;
  std::size_t erasures = 0;
  std::size_t complete = 0;
};

Told read_all(const fs::path& data) {
  SystemRandom random;
  const auto vault = storage::open_vault(data / server::kVaultFile, {}, random);
  const auto opened = storage::RocksLedger::open(data);
  if (!vault) FAIL(vault.error().text);
  if (!opened) FAIL(opened.error().text);
  const storage::Sealer sealer(*vault->vault, random);
  const auto entries = opened->ledger->read(1, 10'000, 1U << 30U);
  REQUIRE(entries);
  Told told;
  for (const auto& entry : *entries) {
    const auto body = sealer.open(entry);
    if (!body) {
      CHECK(body.error().kind == ErrorKind::not_found);
      ++told.closed;
      continue;
    }
    const auto* parsed = ledger::GetBody(body->data());
    if (const auto* event = parsed->entry_as_EventEntry())
      ++told.events[event->event_nested_root()->person()->nhs_number()->str()];
    if (parsed->entry_as_Refusal() != nullptr) ++told.refused;
    if (const auto* erased = parsed->entry_as_Erasure())
      ++(erased->complete() ? told.complete : told.erasures);
  }
  return told;
}

/// Either nothing has been erased, or all of the one child's; and all of the other's is there.
void check_all_or_nothing(const Told& told, bool erased) {
  CHECK(told.events.at(fakes::test_nhs_number(kStays)) == kEventsEach);
  CHECK(told.events.contains(fakes::test_nhs_number(kGone)) == !erased);
  CHECK(told.refused == (erased ? 1 : 2));
  CHECK(told.closed == (erased ? kEventsEach + 1 : 0));
}

/// Files and directories as they stand.
void copy_all(const fs::path& from, const fs::path& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

enum class Found : std::uint8_t { not_begun, cut_short, complete };

/// The hub comes up on what is left there, and says of the child what its ledger says; then the child is
/// erased once more, if it was not. What was there before the start.
Found live_on(const fs::path& data, bool was_told, bool was_complete) {
  const fakes::TemporaryDirectory aside;  // to open it may mend it
  copy_all(data, aside.path());
  const auto left = read_all(aside.path());
  const bool erased = left.erasures > 0;
  if (was_told) CHECK(erased);
  if (was_complete || left.complete > 0) check_all_or_nothing(left, true);
  {
    const auto hub = start_hub(data);
    const auto seen = ask(*hub, true);
    REQUIRE(seen);
    CHECK(seen->error == (erased ? wire::ErrorKind::not_found : wire::ErrorKind::unknown));
    CHECK(seen->events == (erased ? 0 : kEventsEach));
    REQUIRE(hub->stop());
  }
  check_all_or_nothing(read_all(data), erased);
  if (erased) return left.complete > 0 ? Found::complete : Found::cut_short;
  const auto hub = start_hub(data);
  const auto told = ask(*hub, false);
  REQUIRE(told);
  CHECK(told->complete);
  REQUIRE(hub->stop());
  check_all_or_nothing(read_all(data), true);
  return Found::not_begun;
}

void keep_private(const fs::path& data) {
  for (const auto& file : fs::recursive_directory_iterator(data)) {
    if (file.is_regular_file()) fs::permissions(file, fs::perms(0600));
  }
}

}  // namespace

TEST_CASE(
    "an erasure that is killed, or loses power, at any operation is finished at the start or not begun") {
  const fakes::TemporaryDirectory past;
  {
    const auto hub = start_hub(past.path());
    write_past(*hub);
    REQUIRE(hub->stop());
  }
  std::map<Found, std::size_t> found;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < kOperationsMax);
    const fakes::TemporaryDirectory killed;
    const fakes::TemporaryDirectory unpowered;
    copy_all(past.path(), killed.path());
    bool was_told = false;
    bool was_complete = false;
    {
      Disk disk(killed.path());
      auto hub = start_hub(killed.path());
      disk.plan({.kind = Fault::Kind::power_cut, .at = at});
      const auto told = ask(*hub, false);
      happened = disk.happened();
      INFO("operation " << at << ": " << disk.what());
      disk.cut();  // from here on nothing changes what a kill would have left
      hub.reset();
      was_told = told && told->error == wire::ErrorKind::unknown;
      was_complete = told && told->complete;
      if (!happened) CHECK(was_complete);
      fakes::SeededRandom dice(at);
      disk.survivors(dice, unpowered.path());
    }
    keep_private(unpowered.path());
    INFO("operation " << at);
    {
      INFO("killed");
      ++found[live_on(killed.path(), was_told, was_complete)];
    }
    INFO("without power");
    ++found[live_on(unpowered.path(), was_told, was_complete)];
  }
  for (const auto each : {Found::not_begun, Found::cut_short, Found::complete}) CHECK(found[each] > 0);
}
