#include "adapters/console/sign_in.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/hand_clock.hpp"
#include "tests/unit/console/sample_accounts.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

/// A sign-in on the test's own thread.
struct Desk {
  fakes::HandClock clock{{1'800'000'000 * kSecondUs}};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> posted;
  std::shared_ptr<SignIn> sign_in = std::make_shared<SignIn>(clock, [this](std::function<void()> work) {
    const std::lock_guard lock(mutex);
    posted.push_back(std::move(work));
    changed.notify_one();
  });

  explicit Desk(std::vector<Account> accounts) { (void)sign_in->take(std::move(accounts)); }

  void run_one() {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, std::chrono::minutes(5), [this] { return !posted.empty(); }));
    auto work = std::move(posted.front());
    posted.pop_front();
    lock.unlock();
    work();
  }
  SignInOutcome attempt(const std::string& name, const std::string& password, const std::string& code,
                        const std::string& address = "10.0.0.1") {
    std::optional<SignInOutcome> outcome;
    sign_in->attempt(name, test::secret(password), test::secret(code), address,
                     [&outcome](SignInOutcome given) { outcome = std::move(given); });
    while (!outcome) run_one();
    return *outcome;
  }
  std::string code_of(const std::string& name) const {
    return test::code_of(test::account(name), clock.now());
  }
  std::uint64_t count(SignInRefusal cause) const {
    return sign_in->counts().at(static_cast<std::size_t>(cause));
  }
};

}  // namespace

TEST_CASE("account, password and code together let somebody in, with his roles") {
  fakes::CapturedLog log;
  Desk desk({test::account("jo"), test::account("kim")});
  const auto outcome = desk.attempt("kim", test::kPassword, desk.code_of("kim"));
  REQUIRE(outcome.who);
  CHECK(*outcome.who == test::account("kim").who);
  CHECK(log.has("account account-kim has signed in"));
  CHECK_FALSE(log.has(test::kPassword));
}

TEST_CASE(
    "an unknown account, a wrong password, a wrong code and an account that is over are answered alike") {
  Account over = test::account("zoe");
  over.until = "2020-01-31";
  Desk desk({test::account("jo"), over});
  for (const auto& outcome :
       {desk.attempt("nobody", test::kPassword, desk.code_of("jo")),
        desk.attempt("jo", "wrong", desk.code_of("jo")), desk.attempt("jo", test::kPassword, "000000"),
        desk.attempt("zoe", test::kPassword, desk.code_of("zoe"))}) {
    CHECK_FALSE(outcome.who);
    CHECK(outcome.wait_s == 0);
  }
  for (const auto cause :
       {SignInRefusal::unknown, SignInRefusal::password, SignInRefusal::code, SignInRefusal::ended})
    CHECK(desk.count(cause) == 1);
}

TEST_CASE("a code that was used lets nobody in again, and the next one does") {
  Desk desk({test::account("jo")});
  const std::string code = desk.code_of("jo");
  CHECK(desk.attempt("jo", test::kPassword, code).who);
  CHECK_FALSE(desk.attempt("jo", test::kPassword, code).who);
  desk.clock.advance_ms(30'000);
  CHECK_FALSE(desk.attempt("jo", test::kPassword, code).who);
  CHECK(desk.attempt("jo", test::kPassword, desk.code_of("jo")).who);
}

TEST_CASE(
    "after five wrong attempts even the right ones wait, for an account that is there as for one that is "
    "not") {
  Desk desk({test::account("jo")});
  for (const std::string name : {"jo", "nobody"}) {
    for (int i = 0; i < 5; ++i) {
      const auto outcome = desk.attempt(name, "wrong", "000000", name + std::to_string(i));
      CHECK_FALSE(outcome.who);
      CHECK(outcome.wait_s == 0);
    }
    const auto outcome = desk.attempt(name, test::kPassword, desk.code_of("jo"), "elsewhere");
    CHECK_FALSE(outcome.who);
    CHECK(outcome.wait_s > 0);
    CHECK_FALSE(outcome.busy);
  }
  desk.clock.advance_ms(30'000);
  CHECK(desk.attempt("jo", test::kPassword, desk.code_of("jo"), "elsewhere").who);
}

TEST_CASE("an address that tries one account after the other waits, and others do not") {
  Desk desk({test::account("jo")});
  for (int i = 0; i < 5; ++i) (void)desk.attempt("name" + std::to_string(i), "wrong", "000000");
  CHECK(desk.attempt("jo", test::kPassword, desk.code_of("jo")).wait_s > 0);
  CHECK(desk.attempt("jo", test::kPassword, desk.code_of("jo"), "10.0.0.2").who);
}

TEST_CASE("a flood of attempts is told to come later, and leaves a bounded number waiting") {
  Desk desk({test::account("jo")});
  int told = 0;
  int busy = 0;
  for (int i = 0; i < 30; ++i) {
    desk.sign_in->attempt("name" + std::to_string(i), test::secret("wrong"), test::secret("000000"),
                          "10.0.1." + std::to_string(i), [&](const SignInOutcome& outcome) {
                            ++told;
                            busy += outcome.busy ? 1 : 0;
                          });
  }
  CHECK(busy >= 20);
  CHECK(desk.count(SignInRefusal::busy) == static_cast<std::uint64_t>(busy));
  while (told < 30) desk.run_one();
}

TEST_CASE("accounts that go or change are named, and those that stay are not") {
  Desk desk({test::account("jo"), test::account("kim"), test::account("lee")});
  Account other_roles = test::account("kim");
  other_roles.who.roles = {"auditor"};
  CHECK(desk.sign_in->take({test::account("jo"), other_roles}) ==
        std::vector<std::string>{"account-kim", "account-lee"});
  CHECK_FALSE(desk.attempt("lee", test::kPassword, desk.code_of("lee")).who);
}

TEST_CASE("wrong attempts of one IPv6 network are one's own") {
  CHECK(network_of("10.1.2.3:40112") == "10.1.2.3");
  CHECK(network_of("[2001:db8:1:2:3:4:5:6]:40112") == "2001:db8:1:2::");
  CHECK(network_of("[::ffff:10.1.2.3]:40112") == "::ffff:10.1.2.3");
}
