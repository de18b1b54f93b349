#include "adapters/console/id_token.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/console/sample_tokens.hpp"

using namespace carehub;
using namespace carehub::adapters;
using test::SigningKey;

namespace {

constexpr Timestamp kNow{1'800'000'000 * kSecondUs};
const IdTokenExpected kExpected{"https://id.example", "carehub", "n-1"};

std::string claims(const std::string& changed = "") {
  return R"({"iss":"https://id.example","aud":"carehub","sub":"s1","nonce":"n-1","iat":1800000000,"exp":1800000300)" +
         changed + "}";
}

/// The claims with one of them replaced by another text of JSON; empty: left out.
std::string with(const std::string& name, const std::string& value) {
  const auto document = json::Document::parse(claims());
  std::string text = "{";
  document->root().each_member([&](std::string_view key, json::Value member) {
    const std::string said = key == name ? value : member.serialized();
    if (!said.empty()) text += (text.size() > 1 ? "," : "") + json::quoted(key) + ":" + said;
  });
  return text + "}";
}

Result<json::Document> check(const std::string& token, const std::string& keys,
                             const IdTokenExpected& expected = kExpected) {
  const auto document = json::Document::parse(keys);
  REQUIRE(document);
  return check_id_token(token, document->root(), expected, kNow);
}

Result<json::Document> check_claims(const std::string& text) {
  return check(test::provider_key().sign(text, "RS256", "k1"), test::keys_of(test::provider_key().json()));
}

std::string refusal(const Result<json::Document>& checked) {
  return checked ? "it was taken"
                 : std::to_string(static_cast<int>(checked.error().kind)) + checked.error().text;
}

const std::string kDenied = std::to_string(static_cast<int>(ErrorKind::denied)) + "the provider's ID token ";

}  // namespace

TEST_CASE("an ID token by each of the algorithms of public keys gives its claims") {
  const SigningKey p256 = SigningKey::ec("e2");
  const SigningKey p384 = SigningKey::ec("e3", CJOSE_JWK_EC_P_384);
  const SigningKey p521 = SigningKey::ec("e5", CJOSE_JWK_EC_P_521);
  const SigningKey& rsa = test::provider_key();
  const std::string keys =
      test::keys_of(rsa.json() + "," + p256.json() + "," + p384.json() + "," + p521.json());
  const auto subject = [&](const SigningKey& key, const char* algorithm, const char* id) {
    const auto checked = check(key.sign(claims(), algorithm, id), keys);
    INFO(algorithm << " " << refusal(checked));
    REQUIRE(checked);
    return checked->root().member_text("sub");
  };
  for (const char* algorithm : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
    CHECK(subject(rsa, algorithm, "k1") == "s1");
  CHECK(subject(p256, "ES256", "e2") == "s1");
  CHECK(subject(p384, "ES384", "e3") == "s1");
  CHECK(subject(p521, "ES512", "e5") == "s1");
  CHECK(subject(p256, "ES256", "") == "s1");  // the only one of its kind need not be named
}

TEST_CASE("a token that anybody could have signed is not trusted") {
  const SigningKey& rsa = test::provider_key();
  const std::string keys = test::keys_of(rsa.json());
  // RFC 8725 section 2.1: without a signature, and by the public key as a shared secret
  CHECK(refusal(check("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.", keys))
            .starts_with(kDenied));
  const SigningKey shared = SigningKey::shared("k1", rsa.json());
  CHECK(refusal(check(shared.sign(claims(), "HS256", "k1"), keys)) ==
        kDenied + "is not signed by an algorithm of public keys");
  CHECK(refusal(check(shared.sign(claims(), "HS256", "k1"),
                      test::keys_of(R"({"kty":"oct","kid":"k1","k":"YQ"})"))) ==
        kDenied + "is not signed by an algorithm of public keys");
  const SigningKey weak = SigningKey::rsa("k1", 1'024);
  CHECK(refusal(check(weak.sign(claims(), "RS256", "k1"), test::keys_of(weak.json()))) ==
        kDenied + "is signed by an RSA key of less than 2,048 bits");
}

TEST_CASE("a token by another key, changed, or by a key for something else is not trusted") {
  const SigningKey& rsa = test::provider_key();
  const SigningKey other = SigningKey::rsa("k1");
  const std::string keys = test::keys_of(rsa.json());
  CHECK(refusal(check(other.sign(claims(), "RS256", "k1"), keys)) == kDenied + "has a wrong signature");
  std::string changed = rsa.sign(claims(), "RS256", "k1");
  const std::string mine = other.sign(with("sub", "\"admin\""), "RS256", "k1");
  changed = changed.substr(0, changed.find('.')) +
            mine.substr(mine.find('.'), mine.rfind('.') - mine.find('.')) +
            changed.substr(changed.rfind('.'));
  CHECK(refusal(check(changed, keys)) == kDenied + "has a wrong signature");
  const std::string unknown = std::to_string(static_cast<int>(ErrorKind::not_found));
  CHECK(refusal(check(rsa.sign(claims(), "RS256", "k2"), keys)).starts_with(unknown));
  for (const char* change : {R"({"use":"enc",)", R"({"alg":"RS512",)", R"({"crv":"P-256",)"}) {
    const std::string for_else = test::keys_of(change + rsa.json().substr(1));
    CHECK(refusal(check(rsa.sign(claims(), "RS256", "k1"), for_else)).starts_with(unknown));
  }
  CHECK(refusal(check(rsa.sign(claims(), "RS256", ""), test::keys_of(rsa.json() + "," + other.json()))) ==
        kDenied + "does not say which of several keys signed it");
  for (const char* none : {"{}", R"({"keys":{}})", R"({"keys":[1,"k1",null]})"})
    CHECK(refusal(check(rsa.sign(claims(), "RS256", "k1"), none)).starts_with(unknown));
  CHECK(refusal(check(rsa.sign(claims(), "RS256", "k1", R"(["exp"])"), keys)) ==
        kDenied + "has header fields that have to be understood, and are not");
}

TEST_CASE("a token that is not for us, for this sign-in, and for now is not trusted") {
  REQUIRE(check_claims(claims()));
  const auto told = [](const char* name, const char* value) {
    return refusal(check_claims(with(name, value)));
  };
  for (const char* issuer : {"\"https://id.example/\"", "\"https://evil.example\"", "1", ""})
    CHECK(told("iss", issuer) == kDenied + "is another issuer's");
  for (const char* audience : {"\"other\"", "[]", "[\"other\"]", "{}", "1", "", R"(["carehub","other"])"})
    CHECK(told("aud", audience) == kDenied + "is for another client");
  CHECK(check_claims(with("aud", "[\"carehub\"]")));
  CHECK(check_claims(with("aud", R"(["carehub","other"],"azp":"carehub")")));
  CHECK(told("aud", R"("carehub","azp":"other")") == kDenied + "was made for another client");
  for (const char* nonce : {"\"n-2\"", "\"\"", "1", ""})
    CHECK(told("nonce", nonce) == kDenied + "is of another sign-in");
  CHECK(check_claims(with("exp", "1799999941")));
  CHECK(told("exp", "1799999940") == kDenied + "has expired");
  CHECK(check_claims(with("iat", "1800000060")));
  CHECK(told("iat", "1800000061").starts_with(kDenied + "is of the future"));
  CHECK(told("iat", "1800000000,\"nbf\":1800000061").starts_with(kDenied + "is of the future"));
  for (const char* time : {"\"1800000300\"", "true", "1e400", ""})
    CHECK(told("exp", time).starts_with(kDenied));
  CHECK(told("iat", "") == kDenied + "does not say when it was made and until when it is good");
  for (const std::string& subject :
       {std::string("\"\""), std::string("1"), std::string(), '"' + std::string(256, 'a') + '"'})
    CHECK(refusal(check_claims(with("sub", subject))) == kDenied + "does not say who signed in");
}

TEST_CASE("a sign-in without a nonce takes no token") {
  IdTokenExpected none = kExpected;
  none.nonce.clear();
  const std::string keys = test::keys_of(test::provider_key().json());
  for (const std::string& nonce : {std::string("\"\""), std::string()})
    CHECK_FALSE(check(test::provider_key().sign(with("nonce", nonce), "RS256", "k1"), keys, none));
}

TEST_CASE("what is no token at all is refused, and nothing of it is repeated") {
  const std::string keys = test::keys_of(test::provider_key().json());
  const std::string token = test::provider_key().sign(claims(), "RS256", "k1");
  for (std::size_t size = 0; size < token.size(); size += 7) CHECK_FALSE(check(token.substr(0, size), keys));
  for (const std::string& wrong :
       {std::string("a.b.c"), std::string("..."), std::string(kIdTokenBytesMax + 1, 'a'),
        std::string("\xFF\xFE.\0.x", 6), test::provider_key().sign("not json", "RS256", "k1"),
        test::provider_key().sign("[1]", "RS256", "k1")}) {
    const std::string told = refusal(check(wrong, keys));
    CHECK(told.starts_with(kDenied));
    CHECK(told.size() < 120);
  }
}

TEST_CASE("a token or a key with letters that are no base64url is refused before the library sees it") {
  const SigningKey& rsa = test::provider_key();
  const std::string token = rsa.sign(claims(), "RS256", "k1");
  const auto last = token.rfind('.');
  for (const std::string& wrong : {token + "=", token.substr(0, last - 3) + "d=R" + token.substr(last),
                                   token.substr(0, last + 1) + "\n" + token.substr(last + 1), "=" + token})
    CHECK(refusal(check(wrong, test::keys_of(rsa.json()))) == kDenied + "is not a signed one");
  for (const char* number : {"AQ=AB", "", "A", "AQAB\\n", "+/+/"}) {
    const std::string key = R"({"kty":"RSA","kid":"k1","e":")" + std::string(number) + R"(","n":"AQAB"})";
    CHECK(refusal(check(token, test::keys_of(key))) == kDenied + "is signed by a key that cannot be read");
  }
}
