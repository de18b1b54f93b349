#include "adapters/console/id_token.hpp"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>

namespace carehub::adapters {
namespace {

constexpr std::int64_t kSkewS = 60;
constexpr std::size_t kKeysMax = 64;
constexpr std::size_t kRsaBitsMin = 2'048;
constexpr std::size_t kNumberBytesMax = 2'048;  // RSA of 12,000 bits
constexpr std::size_t kSubjectBytesMax = 255;   // section 2

struct Free {
  void operator()(cjose_jws_t* signature) const { cjose_jws_release(signature); }
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
};
using Key = std::unique_ptr<cjose_jwk_t, Free>;

/// Algorithms of public keys (RFC 7518 section 3.1), with the kind and curve of the key that each is for.
struct Algorithm {
  const char* name;
  const char* kind;
  const char* curve;
};
constexpr std::array kAlgorithms = {
    Algorithm{"RS256", "RSA", ""},     Algorithm{"RS384", "RSA", ""},     Algorithm{"RS512", "RSA", ""},
    Algorithm{"PS256", "RSA", ""},     Algorithm{"PS384", "RSA", ""},     Algorithm{"PS512", "RSA", ""},
    Algorithm{"ES256", "EC", "P-256"}, Algorithm{"ES384", "EC", "P-384"}, Algorithm{"ES512", "EC", "P-521"}};

tl::unexpected<Error> denied(const char* why) {
  return fail(ErrorKind::denied, std::string("the provider's ID token ") + why);
}

std::optional<std::int64_t> seconds_at(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  if (!member || member->kind() != json::Kind::number) return std::nullopt;
  const std::string number = member->scalar();
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
  const bool whole = end == number.data() + number.size() || *end == '.';
  return error == std::errc{} && whole ? std::optional(seconds) : std::nullopt;
}

/// RFC 7515 section 2: no padding. cjose ends the process over text that is anything else.
bool is_base64url(std::string_view text) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return !text.empty() && text.size() % 4 != 1 && text.find_first_not_of(kLetters) == std::string_view::npos;
}

/// Header, claims and signature (RFC 7515 section 7.1).
bool is_compact(std::string_view token) {
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  return first != last && is_base64url(token.substr(0, first)) &&
         is_base64url(token.substr(first + 1, last - first - 1)) && is_base64url(token.substr(last + 1));
}

std::string header_of(cjose_header_t* header, const char* name) {
  cjose_err error{};
  const char* text = cjose_header_get(header, name, &error);
  return text == nullptr ? "" : text;
}

bool is_for(const json::Value& key, const Algorithm& algorithm, const std::string& id) {
  const std::string use = key.member_text("use");
  const std::string made_for = key.member_text("alg");
  return key.member_text("kty") == algorithm.kind && key.member_text("crv") == algorithm.curve &&
         (use.empty() || use == "sig") && (made_for.empty() || made_for == algorithm.name) &&
         (id.empty() || key.member_text("kid") == id);
}

/// A key with nothing but what says which one it is; nullopt: it does not.
std::optional<std::string> public_part(const json::Value& key, const Algorithm& algorithm) {
  const bool rsa = std::string_view(algorithm.kind) == "RSA";
  std::string text = std::string(R"({"kty":")") + algorithm.kind + "\"";
  if (!rsa) text += std::string(R"(,"crv":")") + algorithm.curve + "\"";
  for (const char* name : rsa ? std::array{"n", "e"} : std::array{"x", "y"}) {
    const std::string number = key.member_text(name);
    if (number.size() > kNumberBytesMax || !is_base64url(number)) return std::nullopt;
    text += std::string(",\"") + name + "\":\"" + number + "\"";
  }
  return text + "}";
}

/// The key of `id`; of a token that names none the only one there is.
Result<Key> find_key(const json::Value& keys, const Algorithm& algorithm, const std::string& id) {
  const auto list = keys.member("keys");
  std::optional<json::Value> found;
  if (list && list->kind() == json::Kind::array) {
    for (std::size_t at = 0; at < std::min(list->size(), kKeysMax); ++at) {
      const json::Value key = list->element(at);
      if (key.kind() != json::Kind::object || !is_for(key, algorithm, id)) continue;
      if (found) return denied("does not say which of several keys signed it");
      found = key;
    }
  }
  if (!found) return fail(ErrorKind::not_found, "the provider has no key of the ID token's");
  const auto text = public_part(*found, algorithm);
  if (!text) return denied("is signed by a key that cannot be read");
  cjose_err error{};
  Key key(cjose_jwk_import(text->data(), text->size(), &error));
  if (!key) return denied("is signed by a key that cannot be read");
  if (cjose_jwk_get_kty(key.get(), &error) == CJOSE_JWK_KTY_RSA &&
      cjose_jwk_get_keysize(key.get(), &error) < kRsaBitsMin)
    return denied("is signed by an RSA key of less than 2,048 bits");
  return key;
}

bool is_audience(const json::Value& claims, const std::string& client_id) {
  const auto audience = claims.member("aud");
  if (!audience) return false;
  if (audience->kind() == json::Kind::text) return audience->text() == client_id;
  if (audience->kind() != json::Kind::array) return false;
  bool among = false;
  for (std::size_t at = 0; at < audience->size(); ++at)
    among = among || audience->element(at).text() == client_id;
  return among && (audience->size() == 1 || claims.member_text("azp") == client_id);
}

Result<void> check_claims(const json::Value& claims, const IdTokenExpected& expected, Timestamp now) {
  const std::int64_t now_s = now.us / kSecondUs;
  const auto expires = seconds_at(claims, "exp");
  const auto issued = seconds_at(claims, "iat");
  const auto from = seconds_at(claims, "nbf");
  const std::string subject = claims.member_text("sub");
  if (claims.member_text("iss") != expected.issuer) return denied("is another issuer's");
  if (!is_audience(claims, expected.client_id)) return denied("is for another client");
  if (claims.member("azp") && claims.member_text("azp") != expected.client_id)
    return denied("was made for another client");
  if (!expires || !issued) return denied("does not say when it was made and until when it is good");
  if (*expires <= now_s - kSkewS) return denied("has expired");
  if (*issued > now_s + kSkewS || (from && *from > now_s + kSkewS))
    return denied("is of the future: compare the provider's clock with this machine's");
  if (expected.nonce.empty() || claims.member_text("nonce") != expected.nonce)
    return denied("is of another sign-in");
  if (subject.empty() || subject.size() > kSubjectBytesMax) return denied("does not say who signed in");
  return {};
}

}  // namespace

Result<json::Document> check_id_token(std::string_view token, const json::Value& keys,
                                      const IdTokenExpected& expected, Timestamp now) {
  if (token.size() > kIdTokenBytesMax) return denied("is over 64 KiB");
  if (!is_compact(token)) return denied("is not a signed one");
  cjose_err error{};
  const std::unique_ptr<cjose_jws_t, Free> signature(cjose_jws_import(token.data(), token.size(), &error));
  if (!signature) return denied("is not a signed one");
  cjose_header_t* const header = cjose_jws_get_protected(signature.get());
  const std::string name = header_of(header, "alg");
  const auto* const algorithm =
      std::ranges::find_if(kAlgorithms, [&name](const Algorithm& each) { return each.name == name; });
  if (algorithm == kAlgorithms.end()) return denied("is not signed by an algorithm of public keys");
  if (char* critical = cjose_header_get_raw(header, "crit", &error); critical != nullptr) {
    cjose_get_dealloc()(critical);
    return denied("has header fields that have to be understood, and are not");
  }
  const auto key = find_key(keys, *algorithm, header_of(header, "kid"));
  if (!key) return tl::unexpected(key.error());
  if (!cjose_jws_verify(signature.get(), key->get(), &error)) return denied("has a wrong signature");
  std::uint8_t* payload = nullptr;
  std::size_t size = 0;
  if (!cjose_jws_get_plaintext(signature.get(), &payload, &size, &error)) return denied("is empty");
  auto claims = json::Document::parse({reinterpret_cast<const char*>(payload), size});
  if (!claims || claims->root().kind() != json::Kind::object) return denied("has no claims");
  if (auto checked = check_claims(claims->root(), expected, now); !checked)
    return tl::unexpected(checked.error());
  return std::move(*claims);
}

}  // namespace carehub::adapters
