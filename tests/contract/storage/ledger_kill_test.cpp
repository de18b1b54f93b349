#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <random>

#include "broker/storage/rocks_ledger.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;

namespace {

/// Another process that appends; it tells what was completed over a pipe.
class Appender {
 public:
  Appender(const std::filesystem::path& data, std::uint64_t seed, const std::string& file_bytes_max = {}) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reports_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words{LEDGER_APPENDER, data.string(), std::to_string(seed)};
    if (!file_bytes_max.empty()) words.push_back(file_bytes_max);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(::posix_spawn(&process_, LEDGER_APPENDER, &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;
  ~Appender() { ::close(reports_); }

  /// Waits for a report, the end, or so long.
  void listen_ms(int ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
    while (std::chrono::steady_clock::now() < until) {
      pollfd waiting{reports_, POLLIN, 0};
      if (::poll(&waiting, 1, 1) > 0 && !take_report()) return;
    }
  }
  void listen_for_one() {
    while (completed_ == 0 && take_report()) {
    }
  }
  void listen_to_end() {
    while (take_report()) {
    }
  }
  void kill() const { ::kill(process_, SIGKILL); }
  int wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return status;
  }
  Sequence completed() const { return completed_; }

 private:
  bool take_report() {
    Sequence head = 0;
    if (::read(reports_, &head, sizeof head) != static_cast<ssize_t>(sizeof head)) return false;
    CHECK(head > completed_);
    completed_ = head;
    return true;
  }

  int reports_ = -1;
  pid_t process_ = 0;
  Sequence completed_ = 0;
};

Sequence require_whole(const std::filesystem::path& data, std::uint64_t seed, Sequence completed) {
  auto opened = storage::RocksLedger::open(data);
  if (!opened) FAIL(opened.error().text);
  const Sequence head = opened->ledger->head();
  CHECK(head >= completed);
  for (Sequence from = 1; from <= head;) {
    const auto entries = opened->ledger->read(from, 1000, 1U << 20U);
    if (!entries) FAIL(entries.error().text);
    REQUIRE(!entries->empty());
    for (const auto& entry : *entries) REQUIRE(encode(entry) == encode(fakes::sealed_entry(seed, from++)));
  }
  return head;
}

}  // namespace

TEST_CASE("what was completed before kill -9 is there afterwards, entry for entry") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  fakes::SeededRandom random(seed);
  fakes::TemporaryDirectory data;
  Sequence completed = 0;
  constexpr int kRounds = 30;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    Appender appender(data.path(), seed);
    appender.listen_ms(static_cast<int>(random.below(150)));
    // On a busy machine none may have come as far as an append; without one the test would show nothing.
    if (round == kRounds - 1) appender.listen_for_one();
    appender.kill();
    appender.listen_to_end();
    CHECK(WIFSIGNALED(appender.wait()));
    completed = std::max(completed, appender.completed());
    // Every third time the next process finds what the killed one left, without a clean open in between.
    if (round % 3 != 0) completed = require_whole(data.path(), seed, completed);
  }
  CHECK(require_whole(data.path(), seed, completed) > 0);
}

TEST_CASE("a disk that is full fails appends for good, and everything completed is there after a restart") {
  constexpr std::uint64_t kSeed = 5;
  fakes::TemporaryDirectory data;
  Sequence completed = 0;
  for (const char* file_bytes_max : {"300000", "20000", "900000"}) {
    Appender appender(data.path(), kSeed, file_bytes_max);
    appender.listen_to_end();
    const int status = appender.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(appender.completed() > completed);
    completed = require_whole(data.path(), kSeed, appender.completed());
  }
}
