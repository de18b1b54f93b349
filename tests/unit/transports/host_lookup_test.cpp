#include "adapters/transports/host_lookup.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/fakes/awaited.hpp"

namespace carehub::adapters {
namespace {

using Answers = fakes::Awaited<Result<Addresses>>;

/// A name server that answers when the test says so.
struct HangingServer {
  HostLookup::Ask ask() const {
    return [asked = asked, release = release](const std::string& host) {
      asked.give(host);
      return release.get();
    };
  }
  fakes::Awaited<std::string> asked;
  fakes::Awaited<Result<Addresses>> release;
};

void find(IoThread& io, HostLookup& lookup, const Answers& answers) {
  io.run([&] { lookup.find([answers](const Result<Addresses>& found) { answers.give(found); }); });
}

TEST_CASE("the system knows this machine, and says so where it knows no such host") {
  const auto found = system_addresses("localhost");
  REQUIRE(found);
  CHECK(std::any_of(found->begin(), found->end(),
                    [](const std::string& each) { return each == "127.0.0.1" || each == "::1"; }));
  const auto none = system_addresses("no such host");
  REQUIRE_FALSE(none);
  CHECK(none.error().kind == ErrorKind::not_found);
}

TEST_CASE("a name server that hangs for one host holds up no other") {
  IoThread io;
  const HangingServer server;
  HostLookup stuck(io, "stuck.example", server.ask());
  HostLookup well(io, "well.example", [](const std::string&) { return Addresses{"192.0.2.7"}; });
  const Answers late, soon;
  find(io, stuck, late);
  CHECK(server.asked.get() == "stuck.example");
  find(io, well, soon);
  CHECK(soon.get().value() == Addresses{"192.0.2.7"});
  CHECK(late.count() == 0);
  server.release.give(Addresses{"192.0.2.8"});
  CHECK(late.get().value() == Addresses{"192.0.2.8"});
}

TEST_CASE("who asks while a question is under way gets its answer, and later questions are new ones") {
  IoThread io;
  const HangingServer server;
  HostLookup lookup(io, "partner.example", server.ask());
  const Answers answers;
  find(io, lookup, answers);
  find(io, lookup, answers);
  CHECK(server.asked.get() == "partner.example");
  server.release.give(Addresses{"192.0.2.7"});
  CHECK(answers.get(1).has_value());
  CHECK(server.asked.count() == 1);
  find(io, lookup, answers);
  CHECK(answers.get(2).has_value());
  CHECK(server.asked.count() == 2);
}

TEST_CASE("who has given up waiting is forgotten while the name server still hangs") {
  IoThread io;
  const HangingServer server;
  HostLookup lookup(io, "partner.example", server.ask());
  const Answers answers;
  find(io, lookup, answers);
  const auto held = std::make_shared<int>(0);
  HostLookup::Ticket ticket = 0;
  io.run([&] {
    ticket = lookup.find([held, answers](const Result<Addresses>& found) { answers.give(found); });
  });
  CHECK(held.use_count() == 2);
  io.run([&] { lookup.forget(ticket); });
  CHECK(held.use_count() == 1);
  server.release.give(Addresses{"192.0.2.7"});
  CHECK(answers.get().has_value());
  io.run([] {});
  CHECK(answers.count() == 1);
}

TEST_CASE("an answer that comes after the end reaches nobody") {
  const HangingServer server;
  const Answers answers;
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  {
    IoThread io;
    HostLookup lookup(io, "partner.example", [ask = server.ask(), ended](const std::string& host) {
      auto found = ask(host);
      *ended = true;
      return found;
    });
    find(io, lookup, answers);
    CHECK(server.asked.get() == "partner.example");
    io.run([&] { lookup.stop(); });
  }
  server.release.give(Addresses{"192.0.2.7"});
  while (!*ended) std::this_thread::yield();
  CHECK(answers.count() == 0);
}

}  // namespace
}  // namespace carehub::adapters
