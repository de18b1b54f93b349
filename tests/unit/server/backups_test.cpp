#include "broker/server/backups.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/rocks_audit.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using namespace carehub::test;
namespace fs = std::filesystem;

namespace {

/// Asks, and waits for the frame that says how it ended.
wire::BackedUpT back_up(client::HubClient& asker, const fs::path& ledger, const fs::path& vault,
                        const std::string& by = "A Test") {
  wire::BackupT wanted;
  wanted.ledger = ledger.string();
  wanted.vault = vault.string();
  wanted.by = by;
  wanted.reason = "nightly";
  const fakes::Awaited<wire::BackedUpT> ended;
  REQUIRE(asker.ask(wanted, [ended](const Result<client::Reply>& reply) {
    const auto* told = reply ? std::get_if<wire::BackedUpT>(&*reply) : nullptr;
    if (told != nullptr && told->last) ended.give(*told);
  }));
  return ended.get();
}

void publish(client::HubClient& hospital, int child) {
  const fakes::Awaited<client::PublishResult> results;
  REQUIRE(hospital.publish(admission(child), into(results)));
  REQUIRE(std::holds_alternative<client::Receipt>(results.get()));
}

}  // namespace

TEST_CASE("a running hub is backed up by an operator, beside its other work") {
  RunningHub running;
  const fakes::TemporaryDirectory place;
  const auto hospital = open_client(running.inproc_options("elwick-hospital"));
  const auto asker = open_client(running.inproc_options(""));
  for (int child = 1; child <= 20; ++child) publish(*hospital, child);
  const auto told = back_up(*asker, place.path() / "ledger", place.path() / "vault");
  CHECK(told.error == wire::ErrorKind::unknown);
  CHECK(told.text.empty());
  CHECK(told.sequence >= 20);
  publish(*hospital, 21);
  const auto report = storage::audit_ledger(place.path() / "ledger", {});
  REQUIRE(report);
  CHECK(report->faults == 0);
  CHECK(report->entries == told.sequence);
  CHECK(fs::exists(place.path() / "vault/vault"));

  const auto again = back_up(*asker, place.path() / "ledger", {});
  CHECK(again.error == wire::ErrorKind::conflict);
  CHECK_THAT(again.text, Catch::Contains("exists"));
  publish(*hospital, 22);
  asker->close();
  hospital->close();
  running.stop();
}

TEST_CASE("only an operator backs up, says who and why, and where") {
  RunningHub running;
  const fakes::TemporaryDirectory place;
  const auto agency = open_client(running.inproc_options("elwick-hospital"));
  CHECK(back_up(*agency, place.path() / "ledger", {}).error == wire::ErrorKind::denied);
  const auto asker = open_client(running.inproc_options(""));
  CHECK(back_up(*asker, {}, {}).error == wire::ErrorKind::invalid);
  CHECK(back_up(*asker, place.path() / "ledger", {}, "").error == wire::ErrorKind::invalid);
  CHECK(back_up(*asker, "ledger", {}).error == wire::ErrorKind::invalid);
  CHECK(fs::is_empty(place.path()));
  agency->close();
  asker->close();
  running.stop();
}

TEST_CASE("a hub that is stopped while it is backed up stops, and leaves no half copy") {
  RunningHub running;
  const fakes::TemporaryDirectory place;
  const auto asker = open_client(running.inproc_options(""));
  wire::BackupT wanted;
  wanted.ledger = (place.path() / "ledger").string();
  wanted.by = "A Test";
  wanted.reason = "nightly";
  const fakes::Awaited<bool> heard;
  REQUIRE(asker->ask(wanted, [heard](const Result<client::Reply>&) { heard.give(true); }));
  asker->close();
  running.stop();
  CHECK_FALSE(fs::exists(place.path() / "ledger.unfinished"));
}
