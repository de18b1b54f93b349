#include "adapters/transports/http_token.hpp"

#include <catch2/catch.hpp>

namespace carehub::adapters {
namespace {

constexpr Timestamp kNow{1'801'440'000 * kSecondUs};  // 2027-02-01T00:00Z
const std::string kPeer = "192.0.2.7";
// printf %s correct-horse | sha256sum
const std::string kHash = "9dca666eb54730714630d1519264a7bf1eeaad00b8f2edc90d3ecbfad928d163";

TEST_CASE("a token is the same in clear and as its hash") {
  const auto clear = http_token("correct-horse");
  const auto hashed = http_token("sha256:" + kHash);
  REQUIRE(clear);
  REQUIRE(hashed);
  CHECK(clear->sha256 == hashed->sha256);
  for (const auto& token : {*clear, *hashed}) {
    CHECK(judge({token}, "correct-horse", kPeer, kNow) == TokenVerdict::good);
    CHECK(judge({token}, "correct-horses", kPeer, kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, "", kPeer, kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, kHash, kPeer, kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, "sha256:" + kHash, kPeer, kNow) == TokenVerdict::unknown);
  }
}

TEST_CASE("what should be a hash and is none is refused") {
  for (const std::string& wrong : {std::string(), kHash.substr(1), kHash + "0", "g" + kHash.substr(1),
                                   "+" + kHash.substr(1), kHash.substr(2) + " 0"}) {
    INFO(wrong);
    CHECK_FALSE(http_token("sha256:" + wrong));
  }
}

TEST_CASE("a token is good to the end of its last day, and two overlap") {
  const auto old = http_token("the-old-one", "2027-01-31");
  const auto young = http_token("the-new-one", "2027-02-01");
  REQUIRE(old);
  REQUIRE(young);
  const Timestamp before{kNow.us - 1};
  CHECK(judge({*old, *young}, "the-old-one", kPeer, before) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-new-one", kPeer, before) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-old-one", kPeer, kNow) == TokenVerdict::ended);
  CHECK(judge({*old, *young}, "the-new-one", kPeer, kNow) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-third-one", kPeer, kNow) == TokenVerdict::unknown);
  // The same secret once more, with a later day, is good.
  CHECK(judge({*old, *http_token("the-old-one", "2027-03-01")}, "the-old-one", kPeer, kNow) ==
        TokenVerdict::good);
}

TEST_CASE("a token is good only from the networks that it is bound to") {
  const auto bound = [](const std::vector<std::string>& networks, std::string until = {}) {
    return *http_token("correct-horse", std::move(until), *Networks::make(networks));
  };
  const auto judged = [](const std::vector<HttpToken>& tokens, const std::string& address) {
    return judge(tokens, "correct-horse", address, kNow);
  };
  const HttpToken here = bound({"10.20.0.0/16", "2001:db8::7"});
  for (const char* address :
       {"10.20.0.0", "10.20.255.255", "::ffff:10.20.1.2", "2001:db8::7", "2001:db8::7%eth0"}) {
    INFO(address);
    CHECK(judged({here}, address) == TokenVerdict::good);
  }
  for (const char* address : {"10.21.0.0", "10.19.255.255", "2001:db8::8", "::10.20.1.2", "unknown", "",
                              "10.20.1.2:443", "10.20.1"}) {
    INFO(address);
    CHECK(judged({here}, address) == TokenVerdict::elsewhere);
    CHECK(judge({here}, "another-horse", address, kNow) == TokenVerdict::unknown);
  }
  // One that has ended has ended anywhere; bound twice, either will do.
  CHECK(judged({bound({"10.20.0.0/16"}, "2027-01-31")}, "10.20.1.2") == TokenVerdict::ended);
  CHECK(judged({bound({"10.20.0.0/16"}, "2027-01-31")}, "10.21.1.2") == TokenVerdict::ended);
  CHECK(judged({here, bound({"10.21.0.0/16"})}, "10.21.1.2") == TokenVerdict::good);
  CHECK(judged({bound({"10.21.0.0/16"}), here}, "10.21.1.2") == TokenVerdict::good);
}

}  // namespace
}  // namespace carehub::adapters
