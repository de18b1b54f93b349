#include "adapters/transports/io_thread.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <memory>

#include "tests/fakes/awaited.hpp"

namespace carehub::adapters {
namespace {

using fakes::Awaited;

TEST_CASE("work runs in its order, on one thread that is not the caller's") {
  IoThread io;
  CHECK_FALSE(io.inside());
  const Awaited<int> done;
  for (int number = 0; number < 100; ++number) io.post([&, number] { done.give(io.inside() ? number : -1); });
  for (int number = 0; number < 100; ++number) CHECK(done.get(static_cast<std::size_t>(number)) == number);
}

TEST_CASE("run comes back when its work is done, after all that was posted before") {
  IoThread io;
  int count = 0;
  for (int number = 0; number < 10; ++number) io.post([&] { ++count; });
  int seen = 0;
  io.run([&] { seen = count; });
  CHECK(seen == 10);
}

TEST_CASE("delayed work runs by its delay, not by its order") {
  IoThread io;
  const Awaited<std::string> done;
  io.post_after(2'000, [&] { done.give("later"); });
  io.post_after(1, [&] { done.give("soon"); });
  CHECK(done.get(0) == "soon");
  CHECK(done.get(1) == "later");
}

TEST_CASE("work that has not run when the thread ends is dropped, and what it holds is released") {
  const auto held = std::make_shared<int>(0);
  {
    IoThread io;
    io.post_after(3'600'000, [held] { ++*held; });
    io.run([] {});
  }
  CHECK(*held == 0);
  CHECK(held.use_count() == 1);
}

TEST_CASE("waiting for its own thread aborts rather than hangs for ever") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(STDERR_FILENO);
    std::signal(SIGABRT, SIG_DFL);
    IoThread io;
    io.run([&] { io.run([] {}); });
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

}  // namespace
}  // namespace carehub::adapters
