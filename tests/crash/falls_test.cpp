#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "broker/base/random.hpp"
#include "broker/core/work_note.hpp"
#include "broker/server/hub.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"
#include "tests/crash/promises.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
namespace fs = std::filesystem;

namespace {

constexpr const char* kDesk = "council-duty-desk";
constexpr const char* kLateDesk = "late-desk";
const std::vector<std::string> kChildren = {"child-1-culprit", "child-1-next", "child-2-other"};

/// One life of a hub in a process of its own (lives/hub_life.cpp).
struct Life {
  std::string function = "none";
  std::string event = {};
  int signal = SIGKILL;
  std::string subscription = {};
  std::size_t deliveries = 0;
  std::vector<std::string> publishes = {};
};

struct Ended {
  bool fell = false;
  std::vector<std::string> said;
};

Ended live(const fs::path& data, const Life& life) {
  const fs::path said = data.parent_path() / (data.filename().string() + ".said");
  std::vector<std::string> words = {CAREHUB_HUB_LIFE,
                                    data,
                                    life.function,
                                    life.event,
                                    std::to_string(life.signal),
                                    life.subscription,
                                    std::to_string(life.deliveries)};
  words.insert(words.end(), life.publishes.begin(), life.publishes.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  REQUIRE(::posix_spawn_file_actions_init(&actions) == 0);
  REQUIRE(::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, said.c_str(),
                                             O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0);
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, CAREHUB_HUB_LIFE, &actions, nullptr, arguments.data(), environ) == 0);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  Ended ended;
  ended.fell = WIFSIGNALED(status);
  if (ended.fell) {
    CHECK(WTERMSIG(status) == life.signal);
  } else {
    REQUIRE(WEXITSTATUS(status) == 0);
  }
  std::ifstream lines(said);
  for (std::string line; std::getline(lines, line);) ended.said.push_back(line);
  fs::remove(said);
  return ended;
}

/// Starts the hub until it survives; how often it fell.
std::uint32_t live_on(const fs::path& data, const Life& life, std::vector<std::string>& said) {
  for (std::uint32_t falls = 0; falls < 3 * core::WorkNote::kFallsMax; ++falls) {
    auto ended = live(data, life);
    if (ended.fell) continue;
    said = std::move(ended.said);
    return falls;
  }
  FAIL("the hub falls over for ever");
  return 0;
}

std::vector<Sequence> receipts(const std::vector<std::string>& said) {
  std::vector<Sequence> all;
  for (const std::string& line : said) {
    std::istringstream words(line);
    std::string what;
    std::string id;
    Sequence sequence = 0;
    if (words >> what >> id >> sequence && what == "receipt") all.push_back(sequence);
  }
  return all;
}

std::string delivered(Sequence sequence, bool after_gap = false) {
  return "delivered " + std::to_string(sequence) + (after_gap ? " after a gap" : "");
}

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::ranges::sort(lines);
  return lines;
}

/// What a stopped hub's ledger says of events that were gone round: subscription (or what was done),
/// sequence, why.
std::vector<std::string> gone_round(const fs::path& data) {
  SystemRandom random;
  const auto vault = storage::open_vault(data / server::kVaultFile, {}, random);
  const auto opened = storage::RocksLedger::open(data);
  if (!vault) FAIL(vault.error().text);
  if (!opened) FAIL(opened.error().text);
  const storage::Sealer sealer(*vault->vault, random);
  const auto entries = opened->ledger->read(1, 10'000, 1U << 30U);
  REQUIRE(entries);
  std::vector<std::string> found;
  for (const auto& entry : *entries) {
    const auto body = sealer.open(entry);
    REQUIRE(body);
    const auto* parsed = ledger::GetBody(body->data());
    if (const auto* dead = parsed->entry_as_DeadLetter()) {
      found.push_back(dead->subscription()->str() + " " + std::to_string(dead->sequence()) + " " +
                      dead->code()->str());
    } else if (const auto* action = parsed->entry_as_OperatorAction()) {
      found.push_back(action->action()->str() + " " + std::to_string(action->sequence()) + " " +
                      action->detail()->str());
    } else if (const auto* refused = parsed->entry_as_Refusal()) {
      found.push_back("refused " + refused->code()->str());
    }
  }
  return found;
}

/// A hub that has taken three events of two children, and delivered none yet.
std::vector<Sequence> begin(const fs::path& data) {
  const auto first = live(data, {.publishes = kChildren});
  REQUIRE_FALSE(first.fell);
  const auto sequences = receipts(first.said);
  REQUIRE(sequences.size() == kChildren.size());
  return sequences;
}

}  // namespace

TEST_CASE(
    "a hub that falls over an event it delivers goes on with a dead letter, and its child after the gap") {
  const int signal = GENERATE(SIGABRT, SIGKILL);
  const fakes::TemporaryDirectory place;
  const auto data = place.path() / "data";
  const auto events = begin(data);
  std::vector<std::string> said;
  const auto falls = live_on(
      data,
      {.function = "redact", .event = kChildren[0], .signal = signal, .subscription = kDesk, .deliveries = 2},
      said);
  CHECK(falls == core::WorkNote::kFallsMax);
  CHECK(sorted(said) == sorted({delivered(events[1], true), delivered(events[2])}));
  CHECK(gone_round(data) ==
        std::vector<std::string>{std::string(kDesk) + " " + std::to_string(events[0]) + " hub_fell_over"});
  crash::require_sound(data);
}

TEST_CASE("a hub that falls over an event it offers out of history passes it over on record") {
  const fakes::TemporaryDirectory place;
  const auto data = place.path() / "data";
  const auto events = begin(data);
  std::vector<std::string> said;
  const auto falls = live_on(data,
                             {.function = "matches",
                              .event = kChildren[0],
                              .signal = SIGABRT,
                              .subscription = kLateDesk,
                              .deliveries = 2},
                             said);
  CHECK(falls == core::WorkNote::kFallsMax);
  CHECK(sorted(said) == sorted({delivered(events[1]), delivered(events[2])}));
  CHECK(gone_round(data) ==
        std::vector<std::string>{"pass over entry " + std::to_string(events[0]) + " not offered"});
  crash::require_sound(data);
}

TEST_CASE(
    "a hub that falls over an entry it folds at the start passes it over on record, and its receipt stands") {
  const fakes::TemporaryDirectory place;
  const auto data = place.path() / "data";
  const auto events = begin(data);
  fs::remove_all(data / "state");
  std::vector<std::string> said;
  const auto falls = live_on(data,
                             {.function = "fold_people",
                              .event = kChildren[0],
                              .signal = SIGABRT,
                              .subscription = kDesk,
                              .deliveries = 3},
                             said);
  CHECK(falls == core::WorkNote::kFallsMax);
  CHECK(sorted(said) == sorted({delivered(events[0]), delivered(events[1]), delivered(events[2])}));
  CHECK(gone_round(data) ==
        std::vector<std::string>{"pass over entry " + std::to_string(events[0]) + " not folded"});
  crash::require_sound(data);
}

TEST_CASE("a hub that falls over a message as it comes in refuses it, and takes the next") {
  const std::string function = GENERATE("check_event", "matches", "fold_people");
  const fakes::TemporaryDirectory place;
  const auto data = place.path() / "data";
  std::vector<std::string> said;
  const auto falls = live_on(
      data, {.function = function, .event = kChildren[0], .signal = SIGABRT, .publishes = kChildren}, said);
  CHECK(falls == core::WorkNote::kFallsMax);
  CHECK(receipts(said).size() == 2);
  CHECK(said.front() == "refused " + kChildren[0] + " hub_fell_over");
  CHECK(gone_round(data) == std::vector<std::string>{"refused hub_fell_over"});
  crash::require_sound(data);
}

TEST_CASE("a hub that is killed again and again at the work of one event and another gives none of them up") {
  const fakes::TemporaryDirectory place;
  const auto data = place.path() / "data";
  const auto events = begin(data);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& event : kChildren) {
      // The child's next one is not delivered before it is settled what becomes of the first.
      if (event == kChildren[1]) continue;
      const auto ended =
          live(data,
               {.function = "redact", .event = event, .subscription = kDesk, .deliveries = kChildren.size()});
      CHECK(ended.fell);
    }
  }
  const auto last = live(data, {.subscription = kDesk, .deliveries = kChildren.size()});
  REQUIRE_FALSE(last.fell);
  CHECK(sorted(last.said) == sorted({delivered(events[0]), delivered(events[1]), delivered(events[2])}));
  CHECK(gone_round(data).empty());
}
