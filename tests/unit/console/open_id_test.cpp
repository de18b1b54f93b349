#include "adapters/console/open_id.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>

#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/hand_clock.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/unit/console/sample_provider.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

/// Somebody's browser on the way to the provider and back, on the test's own thread.
struct Way {
  test::SampleProvider provider;
  fakes::HandClock clock{{1'800'000'000 * kSecondUs}};
  fakes::SeededRandom random{1};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> posted;
  std::shared_ptr<OpenId> open_id =
      std::make_shared<OpenId>(provider.options(), clock, random, [this](std::function<void()> work) {
        const std::lock_guard lock(mutex);
        posted.push_back(std::move(work));
        changed.notify_one();
      });

  ~Way() { open_id.reset(); }

  template <class Outcome>
  Outcome wait_for(std::optional<Outcome>& outcome) {
    while (!outcome) {
      std::unique_lock lock(mutex);
      REQUIRE(changed.wait_for(lock, std::chrono::minutes(5), [this] { return !posted.empty(); }));
      auto work = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      work();
    }
    return *outcome;
  }
  OpenId::Departure leave() {
    std::optional<OpenId::Departure> departure;
    open_id->leave([&departure](const OpenId::Departure& given) { departure = given; });
    return wait_for(departure);
  }
  SignInOutcome arrive(const std::string& query, const std::string& secret,
                       const std::string& address = "10.0.0.1") {
    std::optional<SignInOutcome> outcome;
    open_id->arrive(*read_form(bytes_of(query)), secret, address,
                    [&outcome](const SignInOutcome& given) { outcome = given; });
    return wait_for(outcome);
  }
  static std::string part(const OpenId::Departure& departure, const std::string& name) {
    const auto at = departure.location.find(name + "=");
    REQUIRE(at != std::string::npos);
    const auto from = at + name.size() + 1;
    return departure.location.substr(from, departure.location.find('&', from) - from);
  }
  /// The provider signs whoever it is in for this departure; what it leads back with.
  std::string agrees(const OpenId::Departure& departure,
                     const std::string& more = R"(,"roles":["auditors"])") {
    provider.give_token(provider.claims(part(departure, "nonce"), more, clock.now().us / kSecondUs));
    return "code=c1&state=" + part(departure, "state");
  }
};

}  // namespace

TEST_CASE("a browser goes to the provider with a challenge, and comes back as whom it signed in there") {
  fakes::CapturedLog log;
  Way way;
  const auto departure = way.leave();
  CHECK(
      departure.location.starts_with(way.provider.issuer() +
                                     "/auth?response_type=code&client_id=carehub&redirect_uri=https%3A%2F%2F"
                                     "hub.example%2Fsign-in%2Fopenid%2Fdone&scope=openid+profile&state="));
  CHECK(Way::part(departure, "code_challenge_method") == "S256");
  CHECK(Way::part(departure, "code_challenge").size() == 43);
  const auto outcome = way.arrive(way.agrees(departure), departure.secret);
  REQUIRE(outcome.who);
  CHECK(outcome.who->roles == std::vector<std::string>{"auditor"});
  CHECK(log.has("account " + outcome.who->id + " has signed in by the provider"));
  for (const std::string& secret :
       {std::string("Jo"), departure.secret, Way::part(departure, "state"), Way::part(departure, "nonce")})
    CHECK_FALSE(log.has(secret));
  // The verifier is the challenge's, and is told to the provider alone.
  const std::string asked = way.provider.asked("/token").at(0);
  const auto verifier = asked.substr(asked.find("code_verifier=") + 14, 64);
  CHECK(departure.location.find(verifier) == std::string::npos);
  const auto again = way.leave();
  for (const char* name : {"state", "nonce", "code_challenge"})
    CHECK(Way::part(again, name) != Way::part(departure, name));
}

TEST_CASE("what another browser began, or nobody, does not end here, and the provider is not asked") {
  Way way;
  const auto mine = way.leave();
  const auto others = way.leave();
  const std::string query = way.agrees(mine);
  for (const auto& [said, secret] : std::vector<std::pair<std::string, std::string>>{
           {query, others.secret},
           {query, ""},
           {query, mine.secret.substr(1)},
           {query, std::string(80, '0')},
           {"code=c1&state=" + Way::part(others, "state"), mine.secret},
           {"code=c1&state=", mine.secret},
           {"code=c1", mine.secret},
           {"", mine.secret}}) {
    const auto outcome = way.arrive(said, secret);
    CHECK_FALSE(outcome.who);
    CHECK(outcome.refusal == SignInRefusal::form);
  }
  CHECK(way.provider.asked("/token").empty());
  CHECK(way.arrive(query, mine.secret).who);
}

TEST_CASE("who takes longer than ten minutes begins anew") {
  for (const bool late : {false, true}) {
    Way way;
    const auto departure = way.leave();
    way.clock.advance_ms(OpenId::kSecretS * 1'000 - (late ? 0 : 1'000));
    CHECK(way.arrive(way.agrees(departure), departure.secret).who.has_value() != late);
  }
}

TEST_CASE("who did not sign in at the provider, or has no role, is not let in") {
  Way way;
  auto departure = way.leave();
  const std::string state = "&state=" + Way::part(departure, "state");
  CHECK(way.arrive("error=access_denied" + state, departure.secret).refusal == SignInRefusal::provider);
  CHECK(way.arrive("code=" + state, departure.secret).refusal == SignInRefusal::provider);
  CHECK(way.arrive("code=" + std::string(5'000, 'a') + state, departure.secret).refusal ==
        SignInRefusal::provider);
  CHECK(way.arrive("code=c1&iss=https%3A%2F%2Fevil.example" + state, departure.secret).refusal ==
        SignInRefusal::provider);
  CHECK(way.provider.asked("/token").empty());
  for (const char* roles : {R"(,"roles":[])", R"(,"roles":["auditor"])", R"(,"roles":{"auditors":1})"}) {
    const auto outcome = way.arrive(way.agrees(departure, roles), departure.secret);
    CHECK_FALSE(outcome.who);
    CHECK(outcome.refusal == SignInRefusal::no_role);
  }
}

TEST_CASE("where a provider names itself, an answer in which nobody does is not its own") {
  Way way;
  way.provider.say("/.well-known/openid-configuration",
                   way.provider.metadata(R"(,"authorization_response_iss_parameter_supported":true)"));
  const auto departure = way.leave();
  CHECK(way.arrive(way.agrees(departure), departure.secret).refusal == SignInRefusal::provider);
  CHECK(way.provider.asked("/token").empty());
  CHECK(way.arrive(way.agrees(departure) + "&iss=" + form_text(way.provider.issuer()), departure.secret).who);
}

TEST_CASE(
    "after codes that were no good an address waits, and a provider that is away is no fault of theirs") {
  Way way;
  const auto departure = way.leave();
  const std::string query = way.agrees(departure);
  way.provider.say("/token", "", "503 Service Unavailable");
  for (int attempt = 0; attempt < 7; ++attempt) {
    const auto outcome = way.arrive(query, departure.secret);
    CHECK(outcome.busy);
    CHECK(outcome.wait_s > 0);
  }
  way.provider.say("/token", R"({"error":"invalid_grant"})", "400 Bad Request");
  for (int attempt = 0; attempt < 5; ++attempt) CHECK(way.arrive(query, departure.secret).wait_s == 0);
  const auto outcome = way.arrive(query, departure.secret);
  CHECK(outcome.wait_s > 0);
  CHECK(outcome.refusal == SignInRefusal::waits);
  CHECK(way.arrive(way.agrees(departure), departure.secret, "10.0.0.2").who);
}

TEST_CASE("a provider that is away leads nowhere, and is said to be away once a minute") {
  fakes::CapturedLog log;
  Way way;
  way.provider.say("/.well-known/openid-configuration", "", "500 Internal Server Error");
  CHECK(way.leave().location.empty());
  CHECK(log.has("code=CH-CONSOLE-OPENID alarm=true nobody was let in: the provider https://127.0.0.1:"));
  CHECK(way.leave().location.empty());
  CHECK(log.lines_with("CH-CONSOLE-OPENID") == 1);
  way.clock.advance_ms(60'000);
  CHECK(way.leave().location.empty());
  CHECK(log.lines_with("CH-CONSOLE-OPENID") == 2);
}

TEST_CASE("where a provider can be left, who signs out is told where") {
  Way way;
  (void)way.leave();
  CHECK(way.open_id->sign_out_address().empty());
  Way other;
  other.provider.say(
      "/.well-known/openid-configuration",
      other.provider.metadata(R"(,"end_session_endpoint":")" + other.provider.issuer() + "/end\""));
  (void)other.leave();
  CHECK(other.open_id->sign_out_address() == other.provider.issuer() + "/end?client_id=carehub");
}
