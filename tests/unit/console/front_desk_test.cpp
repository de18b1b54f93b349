#include "adapters/console/front_desk.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/fakes/hand_clock.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/unit/console/sample_accounts.hpp"
#include "tests/unit/console/sample_provider.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

struct Browser {
  fakes::HandClock clock{{1'800'000'000 * kSecondUs}};
  fakes::SeededRandom random{1};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> posted;
  std::shared_ptr<FrontDesk> desk = std::make_shared<FrontDesk>(
      true, SessionTimes{}, clock, random,
      [this](std::function<void()> work) {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(work));
        changed.notify_one();
      },
      [this](wire::DoorEvent event, const std::string& account, std::function<void(bool)> done) {
        recorded.emplace_back(event, account);
        while_writing();
        done(hub_writes);
      });
  std::vector<std::pair<wire::DoorEvent, std::string>> recorded;
  bool hub_writes = true;
  std::function<void()> while_writing = [] {};
  std::map<std::string, std::string> cookies;
  std::map<std::string, std::string> more_headers;
  std::string set_cookies;  // of the last answer, as they were sent

  Browser() { desk->take({test::account("jo")}); }

  HttpAnswer ask(const std::string& method, const std::string& path, const std::string& body = "") {
    HttpRequest request{method, path, "10.0.0.1:4000", more_headers};
    for (const auto& [name, value] : cookies) request.headers["cookie"] += name + "=" + value + "; ";
    request.headers["host"] = "hub.example:8443";
    request.body.assign(body.begin(), body.end());
    if (const auto mark = path.find('?'); mark != std::string::npos) {
      request.path = path.substr(0, mark);
      request.query = path.substr(mark + 1);
    }
    std::optional<HttpAnswer> answer;
    desk->answer(std::move(request), [&answer](HttpAnswer given) { answer = std::move(given); });
    while (!answer) {
      std::unique_lock lock(mutex);
      REQUIRE(changed.wait_for(lock, std::chrono::minutes(5), [this] { return !posted.empty(); }));
      auto work = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      work();
    }
    set_cookies.clear();
    for (const auto& [name, value] : answer->headers) {
      if (name != "Set-Cookie") continue;
      set_cookies += value + "\n";
      cookies[value.substr(0, value.find('='))] =
          value.substr(value.find('=') + 1, value.find(';') - value.find('=') - 1);
    }
    return *answer;
  }
  static std::string token_in(const std::string& page) {
    const std::string before = "name=\"form\" value=\"";
    const auto at = page.find(before);
    REQUIRE(at != std::string::npos);
    return page.substr(at + before.size(), 64);
  }
  HttpAnswer sign_in(const std::string& password = test::kPassword) {
    const std::string token = token_in(ask("GET", "/sign-in").body);
    return ask("POST", "/sign-in", filled(token, password));
  }
  std::string filled(const std::string& token, std::string password = test::kPassword) const {
    std::replace(password.begin(), password.end(), ' ', '+');
    return "form=" + token + "&account=jo&password=" + password +
           "&code=" + test::code_of(test::account("jo"), clock.now());
  }
};

std::string header(const HttpAnswer& answer, const std::string& name) {
  for (const auto& [key, value] : answer.headers)
    if (key == name) return value;
  return "";
}

const char* const kSession = "__Host-carehub";

}  // namespace

TEST_CASE("who signs in sees who he is, and after signing out nothing") {
  Browser browser;
  CHECK(header(browser.ask("GET", "/"), "Location") == "/sign-in");
  CHECK(browser.sign_in().status == 303);
  CHECK(browser.set_cookies.find("__Host-carehub=") != std::string::npos);
  CHECK(browser.set_cookies.find("; Path=/; HttpOnly; SameSite=Strict; Secure\n") != std::string::npos);
  const auto page = browser.ask("GET", "/");
  CHECK(page.status == 200);
  for (const char* part :
       {"<strong>jo</strong>", "<li>auditor</li>", "<li>case-manager</li>", "2027-01-15T08:15"})
    CHECK(page.body.find(part) != std::string::npos);
  const auto before = browser.cookies;
  CHECK(browser.ask("POST", "/sign-out", "form=" + Browser::token_in(page.body)).status == 303);
  browser.cookies = before;  // the browser may keep it: it is of no use
  CHECK(browser.ask("GET", "/").status == 303);
}

TEST_CASE("a secret that was there before signing in is not that of the session") {
  Browser browser;
  browser.cookies[kSession] = std::string(64, 'a');
  CHECK(browser.sign_in().status == 303);
  const std::string first = browser.cookies[kSession];
  CHECK(first != std::string(64, 'a'));
  browser.clock.advance_ms(30'000);
  CHECK(browser.sign_in().status == 303);
  CHECK(browser.cookies[kSession] != first);
  browser.cookies[kSession] = first;
  CHECK(browser.ask("GET", "/").status == 303);
}

TEST_CASE("a form without its token, with another browser's, or from another origin does nothing") {
  Browser browser;
  const std::string token = Browser::token_in(browser.ask("GET", "/sign-in").body);
  Browser other;
  (void)other.ask("GET", "/sign-in");
  const std::string others = Browser::token_in(other.ask("GET", "/sign-in").body);
  CHECK(browser.ask("POST", "/sign-in", browser.filled("")).status == 403);
  CHECK(browser.ask("POST", "/sign-in", browser.filled(others)).status == 403);
  for (const char* origin : {"https://evil.example", "http://hub.example:8443", "null"}) {
    browser.more_headers["origin"] = origin;
    CHECK(browser.ask("POST", "/sign-in", browser.filled(token)).status == 403);
  }
  CHECK(browser.desk->counts().at(static_cast<std::size_t>(SignInRefusal::form)) == 5);
  browser.more_headers["origin"] = "https://hub.example:8443";
  CHECK(browser.ask("POST", "/sign-in", browser.filled(token)).status == 303);
  CHECK(browser.ask("POST", "/sign-out", "form=" + token).status == 403);
  CHECK(browser.ask("GET", "/").status == 200);
}

TEST_CASE("an account that is taken away or given other roles is signed out") {
  for (const bool removed : {true, false}) {
    Browser browser;
    CHECK(browser.sign_in().status == 303);
    browser.desk->take({test::account("jo")});
    CHECK(browser.ask("GET", "/").status == 200);
    Account changed = test::account("jo");
    changed.who.roles = {"auditor"};
    browser.desk->take(removed ? std::vector<Account>{} : std::vector<Account>{changed});
    CHECK(browser.ask("GET", "/").status == 303);
  }
}

TEST_CASE("every page forbids scripts, frames, guessing of types, and keeping it") {
  Browser browser;
  const HttpAnswer answers[] = {browser.ask("GET", "/sign-in"), browser.ask("GET", "/nothing"),
                                browser.sign_in("wrong"), browser.ask("DELETE", "/"),
                                browser.ask("POST", "/sign-out")};
  for (const HttpAnswer& answer : answers) {
    CHECK(header(answer, "Content-Security-Policy") ==
          "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    CHECK(header(answer, "X-Content-Type-Options") == "nosniff");
    CHECK(header(answer, "Referrer-Policy") == "same-origin");
    CHECK(header(answer, "Cache-Control") == "no-store");
    CHECK(header(answer, "Strict-Transport-Security") == "max-age=31536000");
    CHECK(answer.body.find("<script") == std::string::npos);
  }
  CHECK(answers[1].status == 404);
  CHECK(answers[2].status == 403);
  CHECK(answers[3].status == 405);
  CHECK(answers[4].status == 403);
}

TEST_CASE("who has to wait is told for how long") {
  Browser browser;
  for (int i = 0; i < 5; ++i) CHECK(browser.sign_in("wrong").status == 403);
  const auto answer = browser.sign_in();
  CHECK(answer.status == 429);
  CHECK(header(answer, "Retry-After") == "30");
}

TEST_CASE("who comes back from the provider has a session of his own, and a page that goes on by itself") {
  Browser browser;
  test::SampleProvider provider;
  CHECK(browser.ask("GET", "/sign-in/openid").status == 404);
  CHECK(browser.ask("GET", "/sign-in").body.find("/sign-in/openid") == std::string::npos);
  const auto post = [&browser](std::function<void()> work) {
    const std::lock_guard lock(browser.mutex);
    browser.posted.push_back(std::move(work));
    browser.changed.notify_one();
  };
  browser.desk->use_provider(
      std::make_shared<OpenId>(provider.options(), browser.clock, browser.random, post));
  CHECK(browser.ask("GET", "/sign-in").body.find("href=\"/sign-in/openid\"") != std::string::npos);
  const std::string location = header(browser.ask("GET", "/sign-in/openid"), "Location");
  CHECK(browser.set_cookies.find("; Path=/; HttpOnly; SameSite=Lax; Secure\n") != std::string::npos);
  const auto said = [&location](const std::string& name) {
    return location.substr(location.find(name + "=") + name.size() + 1, 64);
  };
  provider.give_token(provider.claims(said("nonce")));
  const auto lost = browser.ask("GET", "/sign-in/openid/done?code=c1&state=" + said("nonce"));
  CHECK(lost.status == 403);
  CHECK(browser.cookies["__Host-carehub-openid"].empty());  // it is to begin anew
  CHECK(browser.desk->counts().at(static_cast<std::size_t>(SignInRefusal::form)) == 1);
  const std::string again = header(browser.ask("GET", "/sign-in/openid"), "Location");
  const auto at = [&again](const std::string& name) {
    return again.substr(again.find(name + "=") + name.size() + 1, 64);
  };
  provider.give_token(provider.claims(at("nonce")));
  browser.cookies[kSession] = std::string(64, 'a');
  const auto in = browser.ask("GET", "/sign-in/openid/done?code=c1&state=" + at("state"));
  CHECK(in.status == 200);
  CHECK(in.body.find("http-equiv=\"refresh\"") != std::string::npos);
  CHECK(browser.cookies[kSession] != std::string(64, 'a'));
  const auto page = browser.ask("GET", "/");
  CHECK(page.body.find("<strong>Jo</strong>") != std::string::npos);
  CHECK(page.body.find("<li>auditor</li>") != std::string::npos);
  // The accounts of this hub are no matter of theirs.
  browser.desk->take({});
  CHECK(browser.ask("GET", "/").status == 200);
  const auto out = browser.ask("POST", "/sign-out", "form=" + Browser::token_in(page.body));
  CHECK(out.status == 200);
  CHECK(browser.ask("GET", "/").status == 303);
}

TEST_CASE("nobody is in before the hub has it on record, and who signs out is on record, too") {
  Browser browser;
  browser.hub_writes = false;
  const auto refused = browser.sign_in();
  CHECK(refused.status == 503);
  CHECK(header(refused, "Retry-After") == "10");
  CHECK_FALSE(browser.cookies.contains(kSession));
  CHECK(browser.ask("GET", "/").status == 303);
  browser.hub_writes = true;
  browser.clock.advance_ms(30'000);
  browser.while_writing = [&browser] { browser.desk->take({}); };
  CHECK(browser.sign_in().status == 503);  // the account went while it was written down
  browser.while_writing = [] {};
  browser.desk->take({test::account("jo")});
  browser.clock.advance_ms(30'000);
  CHECK(browser.sign_in().status == 303);
  CHECK(browser.ask("POST", "/sign-out", "form=" + Browser::token_in(browser.ask("GET", "/").body)).status ==
        303);
  using wire::DoorEvent;
  REQUIRE(browser.recorded.size() == 4);
  for (const auto& [event, account] : browser.recorded) CHECK(account == "account-jo");
  CHECK(browser.recorded[2].first == DoorEvent::signed_in);
  CHECK(browser.recorded[3].first == DoorEvent::signed_out);
}
