#include "broker/server/restore.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <type_traits>

#include "broker/storage/rocks_audit.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using namespace carehub::test;
namespace fs = std::filesystem;

namespace {

template <class Frame>
Frame ask(client::HubClient& asker, client::Question question) {
  const fakes::Awaited<Frame> answers;
  REQUIRE(asker.ask(std::move(question), [answers](Result<client::Reply> reply) {
    auto* frame = reply ? std::get_if<Frame>(&*reply) : nullptr;
    if constexpr (std::is_same_v<Frame, wire::BackedUpT>) {
      if (frame != nullptr && !frame->last) return;
    }
    answers.give(frame == nullptr ? Frame() : std::move(*frame));
  }));
  return answers.get();
}

/// A hub that has been backed up before and after a child was erased.
struct BackedUpHub {
  RunningHub running;
  fakes::TemporaryDirectory place;
  Sequence kept = 0;
  Sequence gone = 0;

  BackedUpHub() {
    const auto hospital = open_client(running.inproc_options("elwick-hospital"));
    const auto asker = open_client(running.inproc_options(""));
    kept = publish(*hospital, 1);
    gone = publish(*hospital, 2);
    back_up(*asker, "early");
    wire::EraseT erase;
    erase.person = "sequence:" + std::to_string(gone);
    erase.by = "A Test";
    erase.reason = "request 7";
    CHECK(ask<wire::ErasedT>(*asker, erase).events == 1);
    publish(*hospital, 3);
    back_up(*asker, "late");
    asker->close();
    hospital->close();
    running.stop();
  }

  static Sequence publish(client::HubClient& hospital, int child) {
    const fakes::Awaited<client::PublishResult> results;
    REQUIRE(hospital.publish(admission(child), fakes::into(results)));
    const auto result = results.get();
    REQUIRE(std::holds_alternative<client::Receipt>(result));
    return std::get<client::Receipt>(result).sequence;
  }
  void back_up(client::HubClient& asker, const std::string& name) const {
    wire::BackupT wanted;
    wanted.ledger = ledger(name).string();
    wanted.vault = vault(name).string();
    wanted.by = "A Test";
    wanted.reason = "nightly";
    const auto told = ask<wire::BackedUpT>(asker, wanted);
    if (told.error != wire::ErrorKind::unknown) FAIL(told.text);
  }
  fs::path ledger(const std::string& name) const { return place.path() / (name + "-ledger"); }
  fs::path vault(const std::string& name) const { return place.path() / (name + "-vault"); }
  fs::path into() const { return place.path() / "restored"; }

  server::RestoreOptions options(const std::string& ledger_name, const std::string& vault_name) const {
    server::RestoreOptions options;
    options.ledger = ledger(ledger_name);
    options.vault = vault(vault_name);
    options.into = into();
    options.origin = "carehub/restored";
    options.master_key = running.directory.path() / "master.key";
    options.place_master_key = true;
    options.by = "A Test";
    options.reason = "disk 3 failed";
    return options;
  }
};

ErrorKind refused(const server::RestoreOptions& options, const std::string& words) {
  const auto restored = server::restore_hub(options);
  if (restored) FAIL("it was restored");
  CHECK_THAT(restored.error().text, Catch::Contains(words));
  CHECK_FALSE(fs::exists(options.into));
  CHECK_FALSE(fs::exists(options.into.string() + ".unfinished"));
  return restored.error().kind;
}

/// Whether the hub that starts on this data can still show the event.
bool shows(const fs::path& data, Sequence sequence) {
  RunningHub running;
  running.stop();
  server::HubOptions options;
  options.name = "Northmarch";
  options.data = data;
  options.rules = running.rules;
  auto hub = server::Hub::start(std::move(options));
  if (!hub) FAIL(hub.error().text);
  client::ClientOptions client;
  client.endpoint = server::kInprocEndpoint;
  client.zmq_context = (*hub)->zmq_context();
  client.client = "test";
  const auto asker = open_client(std::move(client));
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = "sequence:" + std::to_string(sequence);
  query.role = "auditor";
  query.by = "A Test";
  query.reason = "test";
  query.rows_max = 10;
  const auto page = ask<wire::PageT>(*asker, query);
  asker->close();
  REQUIRE((*hub)->stop());
  const auto is_event = [](const auto& row) { return row->kind == "event"; };
  return page.error == wire::ErrorKind::unknown && std::ranges::any_of(page.rows, is_event);
}

}  // namespace

TEST_CASE("a restored hub holds the same entries, signs for itself, and keeps erased what was erased") {
  const BackedUpHub old;
  const auto restored = server::restore_hub(old.options("late", "early"));
  if (!restored) FAIL(restored.error().text);
  CHECK(restored->to == restored->backup_head);
  CHECK(restored->recorded_as == restored->backup_head + 1);
  CHECK(restored->keys_destroyed >= 1);
  const auto report = storage::audit_ledger(old.into(), {});
  REQUIRE(report);
  CHECK(report->faults == 0);
  CHECK(report->extended->origin == "carehub/restored");
  CHECK(fs::exists(old.into() / server::kRestoredCheckpointFile));
  CHECK(shows(old.into(), old.kept));
  CHECK_FALSE(shows(old.into(), old.gone));
}

TEST_CASE("a restore up to an entry honours the erasures behind it, and gives no number out again") {
  const BackedUpHub old;
  auto options = old.options("late", "early");
  options.to = old.gone;
  options.given_out = 200 + server::kGivenOutAheadMax;
  const auto mistyped = server::restore_hub(options);
  REQUIRE(!mistyped);
  CHECK(mistyped.error().kind == ErrorKind::invalid);
  CHECK(mistyped.error().text.find("mistyped") != std::string::npos);
  options.given_out = 200;
  const auto restored = server::restore_hub(options);
  if (!restored) FAIL(restored.error().text);
  CHECK(restored->to == old.gone);
  CHECK(restored->erasures >= 1);
  CHECK(restored->keys_destroyed >= 1);
  CHECK(restored->head >= 200);
  CHECK(storage::audit_ledger(old.into(), {})->faults == 0);
  CHECK(shows(old.into(), old.kept));
  CHECK_FALSE(shows(old.into(), old.gone));
}

TEST_CASE("what is damaged, half-written, another log's own or not there is not restored") {
  const BackedUpHub old;
  auto options = old.options("late", "late");
  options.origin = "carehub/northmarch";
  CHECK(refused(options, "is the origin of the log") == ErrorKind::invalid);
  options.origin = "two words";
  CHECK(refused(options, "origin of its own") == ErrorKind::invalid);
  options = old.options("late", "late");
  options.to = 10'000;
  CHECK(refused(options, "ends at entry") == ErrorKind::not_found);
  options = old.options("late", "late");
  options.ledger += ".unfinished";
  CHECK(refused(options, "cut short") == ErrorKind::invalid);
  options = old.options("none", "late");
  CHECK(refused(options, "no ledger") == ErrorKind::not_found);
  options = old.options("late", "none");
  CHECK(refused(options, "no vault") == ErrorKind::not_found);
  options = old.options("late", "late");
  options.signing_key_file = old.running.directory.path() / "signing.key";
  CHECK(refused(options, "signing key of its own") == ErrorKind::conflict);
  fs::resize_file(old.ledger("late") / "checkpoint", 10);
  CHECK(refused(old.options("late", "late"), "faults") == ErrorKind::corrupt);
  fs::create_directory(old.into());
  const auto there = server::restore_hub(old.options("early", "early"));
  REQUIRE_FALSE(there);
  CHECK(there.error().kind == ErrorKind::conflict);
}
