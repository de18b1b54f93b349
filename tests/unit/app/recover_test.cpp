#include <algorithm>
#include <fstream>

#include "broker/server/recover.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/mark.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;
namespace fs = std::filesystem;

namespace {

/// A hub that has stopped with a few entries in its log; its data directory.
fs::path stopped_hub(RunningCounty& county) {
  for (const char* id : {"e1", "e2", "e3"}) REQUIRE(county.publish(SmallCounty::flag(id)) == ExitCode::ok);
  REQUIRE(county.stop() == ExitCode::ok);
  return county.folder.path() / "data";
}

/// As a disk does that lost its last sectors, and with them more than a checkpoint: a slow machine has signed
/// one by then.
void cut_the_log(const fs::path& data) {
  for (const auto& file : fs::directory_iterator(data / "ledger")) {
    if (file.path().extension() == ".log" && file.file_size() > 0) {
      fs::resize_file(file.path(), file.file_size() / 2);
      return;
    }
  }
  FAIL("no log to cut");
}

app::RecoverOptions options_of(const SmallCounty& county, bool accept = false) {
  app::RecoverOptions options;
  options.config = county.config();
  options.accept_loss = accept;
  options.operator_name = accept ? "A Reader" : "";
  options.reason = accept ? "disk 3 failed" : "";
  return options;
}

ExitCode start_again(const SmallCounty& county, Told& told) {
  told.stop = true;  // as soon as it runs
  app::RunOptions options;
  options.config = county.config();
  options.parts = app::RunOptions::Parts::broker;
  return app::run(options, told.surroundings);
}

Sequence head_of(const fs::path& data) {
  const auto mark = storage::Mark::open(data / "ledger.mark");  // unlike the ledger, not changed by a look
  REQUIRE((mark && mark->found()));
  return mark->found()->size;
}

/// As a call leaves it that is cut short.
void leave_intent(const fs::path& data, Sequence whole, Sequence lost_to) {
  std::ofstream(data / server::kLossFile) << whole << ' ' << lost_to << '\n';
}

std::vector<ledger::OperatorActionT> operator_actions(const fs::path& data) {
  SystemRandom random;
  const auto vault = storage::open_vault(data / "vault", data / "master.key", random);
  const auto opened = storage::RocksLedger::open(data);
  REQUIRE((vault && opened));
  const storage::Sealer sealer(*vault->vault, random);
  std::vector<ledger::OperatorActionT> found;
  const auto entries = opened->ledger->read(1, 100'000, 1U << 30U);
  REQUIRE(entries);
  for (const auto& sealed : *entries) {
    if (sealed.header.kind != storage::EntryKind::operator_action) continue;
    const auto body = sealer.open(sealed);
    REQUIRE(body);
    ledger::GetBody(body->data())->entry_as_OperatorAction()->UnPackTo(&found.emplace_back());
  }
  return found;
}

}  // namespace

TEST_CASE("a hub whose ledger is whole has nothing to recover") {
  RunningCounty county;
  Told running;
  CHECK(app::recover(options_of(county), running.surroundings) == ExitCode::storage);
  const auto data = stopped_hub(county);
  for (const bool accept : {false, true}) {
    Told told;
    CHECK(app::recover(options_of(county, accept), told.surroundings) == ExitCode::ok);
    CHECK(told.said("nothing is lost"));
  }
  CHECK(operator_actions(data).empty());
}

TEST_CASE("a lost end is only told of until a person accepts it; then it is on record and the hub starts") {
  RunningCounty county;
  const auto data = stopped_hub(county);
  const Sequence whole_before = head_of(data);
  cut_the_log(data);
  Told refused;
  CHECK(start_again(county, refused) == ExitCode::corrupt);
  CHECK(refused.complained("carehub recover"));

  Told looked;
  CHECK(app::recover(options_of(county), looked.surroundings) == ExitCode::corrupt);
  CHECK(looked.said("were durable"));
  CHECK(looked.said("Nothing has been changed"));
  Told still;
  CHECK(start_again(county, still) == ExitCode::corrupt);

  Told accepted;
  auto options = options_of(county, true);
  options.json = true;
  CHECK(app::recover(options, accepted.surroundings) == ExitCode::ok);
  CHECK(accepted.said(R"("accepted":true)"));
  CHECK(accepted.said(R"("lost_from":)"));
  const auto actions = operator_actions(data);
  REQUIRE(!actions.empty());
  CHECK(actions[0].action == "accept_loss");
  CHECK(actions[0].by == "A Reader");
  CHECK(actions[0].reason == "disk 3 failed");
  CHECK(actions[0].detail.find("entries " + std::to_string(actions[0].sequence + 1) + " to ") == 0);
  // None of their numbers is ever given to something else.
  CHECK(head_of(data) == whole_before);
  CHECK(actions.size() == whole_before - actions[0].sequence);
  for (std::size_t at = 1; at < actions.size(); ++at) {
    CHECK(actions[at].action == "lost");
    CHECK(actions[at].sequence == actions[0].sequence + 1);
  }
  Told started;
  CHECK(start_again(county, started) == ExitCode::ok);
  Told whole;
  CHECK(app::recover(options_of(county), whole.surroundings) == ExitCode::ok);
}

TEST_CASE("a loss that was accepted and not recorded keeps the hub from starting until it is") {
  RunningCounty county;
  const auto data = stopped_hub(county);
  const Sequence whole = head_of(data);
  leave_intent(data, whole, whole + 5);  // as if the power had gone right after the mark was set
  Told refused;
  CHECK(start_again(county, refused) == ExitCode::corrupt);
  CHECK(refused.complained("recover --accept-loss"));
  Told finished;
  CHECK(app::recover(options_of(county, true), finished.surroundings) == ExitCode::ok);
  const auto actions = operator_actions(data);
  REQUIRE(actions.size() == 5);
  CHECK(actions[0].detail == "entries " + std::to_string(whole + 1) + " to " + std::to_string(whole + 5) +
                                 " were durable and are lost");
  CHECK(head_of(data) == whole + 5);
  Told started;
  CHECK(start_again(county, started) == ExitCode::ok);
}

TEST_CASE("a recovery that was killed before it had filled every lost number goes on where it was") {
  RunningCounty county;
  const auto data = stopped_hub(county);
  const Sequence whole = head_of(data);
  leave_intent(data, whole, whole + 2);
  Told first;
  REQUIRE(app::recover(options_of(county, true), first.surroundings) == ExitCode::ok);
  leave_intent(data, whole, whole + 10'000);  // of which the first call came to fill two
  Told second;
  CHECK(app::recover(options_of(county, true), second.surroundings) == ExitCode::ok);
  CHECK(second.said("recorded as entry " + std::to_string(whole + 1)));
  CHECK(head_of(data) == whole + 10'000);
  const auto actions = operator_actions(data);
  REQUIRE(actions.size() == 10'000);
  const auto records = std::count_if(actions.begin(), actions.end(),
                                     [](const auto& action) { return action.action == "accept_loss"; });
  CHECK(records == 1);
  leave_intent(data, whole, whole + 10'000);  // killed before the file was removed
  Told third;
  CHECK(app::recover(options_of(county, true), third.surroundings) == ExitCode::ok);
  CHECK(head_of(data) == whole + 10'000);
  Told started;
  CHECK(start_again(county, started) == ExitCode::ok);
}

TEST_CASE("what an earlier recovery left behind is removed where nothing is lost, and nothing is recorded") {
  RunningCounty county;
  const auto data = stopped_hub(county);
  SECTION("an empty file: the disk was full, and the whole ledger was restored") {
    std::ofstream(data / server::kLossFile) << std::flush;
  }
  SECTION("a newer copy was restored than the one that the loss was accepted for") {
    leave_intent(data, 1, head_of(data));
  }
  Told looked;
  CHECK(app::recover(options_of(county), looked.surroundings) == ExitCode::corrupt);
  CHECK(looked.said("An earlier call did not finish"));
  CHECK(fs::exists(data / server::kLossFile));
  Told finished;
  CHECK(app::recover(options_of(county, true), finished.surroundings) == ExitCode::ok);
  CHECK(finished.said("nothing is lost"));
  CHECK_FALSE(fs::exists(data / server::kLossFile));
  CHECK(operator_actions(data).empty());
  Told started;
  CHECK(start_again(county, started) == ExitCode::ok);
}

TEST_CASE("a copy that is newer but not the newest has still lost what the mark knew of") {
  RunningCounty county;
  const auto data = stopped_hub(county);
  const Sequence whole = head_of(data);
  leave_intent(data, 1, whole + 3);
  Told finished;
  CHECK(app::recover(options_of(county, true), finished.surroundings) == ExitCode::ok);
  const auto actions = operator_actions(data);
  REQUIRE(actions.size() == 3);
  CHECK(actions[0].sequence == whole);
  CHECK(head_of(data) == whole + 3);
}

TEST_CASE("a vault that lacks keys of the ledger is no loss to accept") {
  constexpr std::uintmax_t kHeaderBytes = 192;
  RunningCounty county;
  const auto data = stopped_hub(county);
  cut_the_log(data);
  SECTION("it is older") { fs::resize_file(data / "vault", kHeaderBytes); }
  SECTION("it is gone") { fs::remove(data / "vault"); }
  Told told;
  CHECK(app::recover(options_of(county, true), told.surroundings) == ExitCode::corrupt);
  CHECK(told.complained("vault"));
  Told started;
  CHECK(start_again(county, started) == ExitCode::corrupt);
}

TEST_CASE("a loss is accepted with a reason, or not at all") {
  const SmallCounty county;
  auto options = options_of(county, true);
  options.reason.clear();
  Told told;
  CHECK(app::recover(options, told.surroundings) == ExitCode::usage);
  Told nowhere;
  CHECK(app::recover(options_of(county), nowhere.surroundings) == ExitCode::not_found);
  CHECK_FALSE(county.folder.has("data"));
}
