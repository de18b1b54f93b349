#include "adapters/console/open_id_provider.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/hand_clock.hpp"
#include "tests/unit/console/sample_provider.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

struct Asking {
  test::SampleProvider provider;
  fakes::HandClock clock{{1'800'000'000 * kSecondUs}};
  std::atomic<bool> stop{false};
  OpenIdOptions options = provider.options();
  std::optional<OpenIdProvider> asked;

  Result<SignedIn> who(const std::string& code = "c/1") {
    if (!asked) asked.emplace(options, clock, stop);
    return asked->who_is({code, "v-1", "n-1"});
  }
  std::string refusal() {
    const auto answer = who();
    return answer ? "somebody was let in"
                  : to_string(answer.error().kind) + std::string(": ") + answer.error().text;
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a code is exchanged with its verifier, and who it is for has the roles that the token says") {
  Asking asking;
  const auto who = asking.who();
  REQUIRE(who);
  CHECK(who->name == "Jo");
  CHECK(who->roles == std::vector<std::string>{"auditor"});
  const auto requests = asking.provider.asked("/token");
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].ends_with(
      "\r\n\r\ngrant_type=authorization_code&code=c%2F1&redirect_uri=https%3A%2F%2Fhub.example"
      "%2Fsign-in%2Fopenid%2Fdone&code_verifier=v-1&client_id=carehub"));
  CHECK(asking.provider.asked("/me").empty());
}

TEST_CASE("the client's secret is read anew each time, and sent as the provider wants it") {
  Asking asking;
  asking.options.client_secret_file = asking.provider.directory.path() / "secret";
  asking.options.client_id = "care hub";
  std::ofstream(asking.options.client_secret_file) << "s:1\n";
  CHECK_FALSE(asking.who());  // the token is for another client: what matters here is what was sent
  CHECK(has(asking.provider.asked("/token")[0],
            "\r\nAuthorization: Basic Y2FyZStodWI6cyUzQTE=\r\n"));  // care+hub:s%3A1
  CHECK_FALSE(has(asking.provider.asked("/token")[0], "client_id="));
  std::ofstream(asking.options.client_secret_file) << "s:2\n";
  asking.provider.say(
      "/.well-known/openid-configuration",
      asking.provider.metadata(R"(,"token_endpoint_auth_methods_supported":["client_secret_post"])"));
  asking.clock.advance_ms(3'600'000);
  CHECK_FALSE(asking.who());
  CHECK_FALSE(has(asking.provider.asked("/token")[1], "Authorization"));
  CHECK(asking.provider.asked("/token")[1].ends_with("&client_secret=s%3A2&client_id=care+hub"));
}

TEST_CASE(
    "where the token says nothing of roles, the provider is asked about the user, who has to be the same") {
  Asking asking;
  asking.provider.give_token(asking.provider.claims("n-1", ""));
  const auto who = asking.who();
  REQUIRE(who);
  CHECK(who->roles == std::vector<std::string>{"auditor"});
  CHECK(has(asking.provider.asked("/me")[0], "\r\nAuthorization: Bearer a1\r\n"));
  asking.provider.say("/me", R"({"sub":"s2","roles":["auditors"]})");
  CHECK(asking.refusal() == "denied: what the provider tells of the user is of another one");
}

TEST_CASE("a key that is new is fetched, but not for every token that names one") {
  Asking asking;
  REQUIRE(asking.who());
  const auto next = test::SigningKey::rsa("k2");
  asking.provider.give_token(asking.provider.claims("n-1"), next, "k2");
  asking.provider.say("/keys", test::keys_of(next.json()));
  CHECK_FALSE(asking.who());
  CHECK(asking.provider.asked("/keys").size() == 1);
  asking.clock.advance_ms(60'000);
  CHECK(asking.who());
  CHECK(asking.provider.asked("/keys").size() == 2);
  CHECK(asking.provider.asked("/.well-known/openid-configuration").size() == 1);
}

TEST_CASE("a token that was not made for this sign-in, or by the provider, lets nobody in") {
  Asking asking;
  asking.provider.give_token(asking.provider.claims("n-2"));
  CHECK(asking.refusal() == "denied: the provider's ID token is of another sign-in");
  asking.provider.give_token(asking.provider.claims("n-1"), test::SigningKey::rsa("k1"));
  CHECK(asking.refusal() == "denied: the provider's ID token has a wrong signature");
  for (const char* none : {"{}", R"({"id_token":null})", R"({"id_token":""})", R"({"access_token":"a1"})"}) {
    asking.provider.say("/token", none);
    CHECK(asking.refusal() == "denied: the provider's ID token is not a signed one");
  }
}

TEST_CASE("a code that is no good is no fault of the provider's") {
  Asking asking;
  asking.provider.say("/token", R"({"error":"invalid_grant"})", "400 Bad Request");
  CHECK(asking.refusal() == "conflict: the provider's code is not good, or not good any more");
  asking.provider.say("/token", R"({"error":"invalid_client"})", "401 Unauthorized");
  CHECK(has(asking.refusal(), "it answers a code with 401; compare client_id"));
}

TEST_CASE("a provider that says it is another one, or wants to be asked in clear, is not asked") {
  for (const auto& [from, to, told] : std::vector<std::array<std::string, 3>>{
           {R"("issuer":"https:)", R"("issuer":"http:)", "write `issuer` as it does"},
           {R"("token_endpoint":"https:)", R"("token_endpoint":"http:)", "names a place that is not https"},
           {R"("jwks_uri":"https:)", R"("jwks_uri":"http:)", "names a place that is not https"},
           {R"("authorization_endpoint":"https:)", R"("authorization_endpoint":"javascript:)",
            "names a place that is not https"}}) {
    Asking asking;
    std::string said = asking.provider.metadata();
    said.replace(said.find(from), from.size(), to);
    asking.provider.say("/.well-known/openid-configuration", said);
    const std::string refusal = asking.refusal();
    CHECK(refusal.starts_with("denied: the provider https://127.0.0.1:"));
    CHECK(has(refusal, told));
    CHECK(asking.provider.asked("/token").empty());
  }
}

TEST_CASE("a provider that is away, or answers anything else, is said to be, and asked again the next time") {
  Asking asking;
  const std::string good = asking.provider.metadata();
  for (const char* body : {"<html>", "[]", "", "{"}) {
    asking.provider.say("/.well-known/openid-configuration", body);
    CHECK(asking.refusal().starts_with("unavailable: the provider https://127.0.0.1:"));
  }
  asking.provider.say("/.well-known/openid-configuration", good, "500 Internal Server Error");
  CHECK(has(asking.refusal(), "it answers with 500, or no JSON"));
  asking.provider.say("/.well-known/openid-configuration", good);
  CHECK(asking.who());
}
