#include "adapters/transports/http_token.hpp"

#include <catch2/catch.hpp>

namespace carehub::adapters {
namespace {

constexpr Timestamp kNow{1'801'440'000 * kSecondUs};  // 2027-02-01T00:00Z
// printf %s correct-horse | sha256sum
const std::string kHash = "9dca666eb54730714630d1519264a7bf1eeaad00b8f2edc90d3ecbfad928d163";

TEST_CASE("a token is the same in clear and as its hash") {
  const auto clear = http_token("correct-horse");
  const auto hashed = http_token("sha256:" + kHash);
  REQUIRE(clear);
  REQUIRE(hashed);
  CHECK(clear->sha256 == hashed->sha256);
  for (const auto& token : {*clear, *hashed}) {
    CHECK(judge({token}, "correct-horse", kNow) == TokenVerdict::good);
    CHECK(judge({token}, "correct-horses", kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, "", kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, kHash, kNow) == TokenVerdict::unknown);
    CHECK(judge({token}, "sha256:" + kHash, kNow) == TokenVerdict::unknown);
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
  CHECK(judge({*old, *young}, "the-old-one", before) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-new-one", before) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-old-one", kNow) == TokenVerdict::ended);
  CHECK(judge({*old, *young}, "the-new-one", kNow) == TokenVerdict::good);
  CHECK(judge({*old, *young}, "the-third-one", kNow) == TokenVerdict::unknown);
  // The same secret once more, with a later day, is good.
  CHECK(judge({*old, *http_token("the-old-one", "2027-03-01")}, "the-old-one", kNow) == TokenVerdict::good);
}

}  // namespace
}  // namespace carehub::adapters
