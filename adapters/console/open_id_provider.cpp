#include "adapters/console/open_id_provider.hpp"

#include <array>

#include "adapters/console/id_token.hpp"
#include "adapters/transports/https_client.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {
namespace {

constexpr std::int64_t kPlacesUs = 3'600 * kSecondUs;
constexpr std::int64_t kKeysApartUs = 60 * kSecondUs;
constexpr std::size_t kClientSecretBytesMax = 4'096;
constexpr std::uint32_t kOk = 200;

bool lists(const json::Value& object, const char* name, std::string_view word) {
  const auto list = object.member(name);
  if (!list || list->kind() != json::Kind::array) return false;
  for (std::size_t at = 0; at < list->size(); ++at)
    if (list->element(at).text() == word) return true;
  return false;
}

bool is_true(const json::Value& object, const char* name) {
  const auto member = object.member(name);
  return member && member->kind() == json::Kind::boolean && member->scalar() == "true";
}

/// Where the provider says that it does what; `denied`: in clear, or nowhere.
Result<ProviderPlaces> places_in(const json::Value& said) {
  ProviderPlaces places{.authorization = said.member_text("authorization_endpoint"),
                        .token = said.member_text("token_endpoint"),
                        .keys = said.member_text("jwks_uri"),
                        .user_info = said.member_text("userinfo_endpoint"),
                        .end_session = said.member_text("end_session_endpoint"),
                        .names_itself = is_true(said, "authorization_response_iss_parameter_supported")};
  for (const std::string* place : {&places.authorization, &places.token, &places.keys})
    if (!place->starts_with("https://")) return fail(ErrorKind::denied, "it names a place that is not https");
  for (std::string* place : {&places.user_info, &places.end_session})
    if (!place->starts_with("https://")) place->clear();
  constexpr const char* kMethods = "token_endpoint_auth_methods_supported";
  places.secret_in_form =
      lists(said, kMethods, "client_secret_post") && !lists(said, kMethods, "client_secret_basic");
  return places;
}

Error at_provider(const std::string& issuer, const Error& error) {
  return {error.kind, "the provider " + issuer + ": " + error.text};
}

}  // namespace

std::string form_text(std::string_view text) {
  std::string coded;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '*';
    if (plain) {
      coded += c;
    } else if (c == ' ') {
      coded += '+';
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      coded.append({'%', kDigits[byte >> 4U], kDigits[byte & 15U]});
    }
  }
  return coded;
}

Result<json::Document> OpenIdProvider::get(const std::string& url, const std::string& bearer) {
  const auto answer = ask_https({.url = url, .bearer = bearer, .ca_file = options_.ca_file, .stop = &stop_});
  if (!answer) return tl::unexpected(at_provider(options_.issuer, answer.error()));
  auto document = json::Document::parse(answer->body);
  if (answer->status != kOk || !document || document->root().kind() != json::Kind::object)
    return fail(ErrorKind::unavailable, "the provider " + options_.issuer + ": it answers with " +
                                            std::to_string(answer->status) + ", or no JSON");
  return std::move(*document);
}

Result<ProviderPlaces> OpenIdProvider::places() {
  if (places_ && clock_.steady_us() - places_us_ < kPlacesUs) return *places_;
  const std::string issuer = options_.issuer.ends_with('/')
                                 ? options_.issuer.substr(0, options_.issuer.size() - 1)
                                 : options_.issuer;
  const auto said = get(issuer + "/.well-known/openid-configuration");
  if (!said) return tl::unexpected(said.error());
  if (said->root().member_text("issuer") != options_.issuer)
    return fail(ErrorKind::denied, "the provider " + options_.issuer +
                                       ": it says that it is another one; write `issuer` as it does");
  const auto read = places_in(said->root());
  if (!read) return tl::unexpected(at_provider(options_.issuer, read.error()));
  places_ = *read;
  places_us_ = clock_.steady_us();
  return *places_;
}

Result<void> OpenIdProvider::fetch_keys(const ProviderPlaces& places) {
  keys_us_ = clock_.steady_us();
  auto keys = get(places.keys);
  if (!keys) return tl::unexpected(keys.error());
  keys_ = std::move(*keys);
  return {};
}

Result<json::Document> OpenIdProvider::exchange(const ProviderPlaces& places, const Code& code) {
  HttpsRequest request{.url = places.token, .ca_file = options_.ca_file, .stop = &stop_};
  request.form = "grant_type=authorization_code&code=" + form_text(code.code) +
                 "&redirect_uri=" + form_text(options_.address + kArrivalPath) +
                 "&code_verifier=" + form_text(code.verifier);
  if (!options_.client_secret_file.empty()) {
    // Read each time: a changed secret is taken with the next sign-in.
    const auto read = read_secret_file(options_.client_secret_file, kClientSecretBytesMax);
    if (!read) return tl::unexpected(read.error());
    std::string_view secret = read->view();
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.remove_suffix(1);
    if (places.secret_in_form) {
      *request.form += "&client_secret=" + form_text(secret);
    } else {
      request.user = form_text(options_.client_id);  // RFC 6749 section 2.3.1
      request.password = form_text(secret);
    }
  }
  if (request.user.empty()) *request.form += "&client_id=" + form_text(options_.client_id);
  auto answer = ask_https(request);
  wipe(*request.form);
  wipe(request.password);
  if (!answer) return tl::unexpected(at_provider(options_.issuer, answer.error()));
  auto tokens = json::Document::parse(answer->body);
  wipe(answer->body);
  const bool good = tokens && tokens->root().kind() == json::Kind::object;
  if (answer->status == kOk && good) return std::move(*tokens);
  // RFC 6749 section 5.2
  if (answer->status == 400 && good && tokens->root().member_text("error") == "invalid_grant")
    return fail(ErrorKind::conflict, "the provider's code is not good, or not good any more");
  return fail(ErrorKind::unavailable,
              "the provider " + options_.issuer + ": it answers a code with " +
                  std::to_string(answer->status) +
                  "; compare client_id, client_secret_file and address with what it has");
}

Result<json::Document> OpenIdProvider::checked(const std::string& token, const ProviderPlaces& places,
                                               const std::string& nonce) {
  const IdTokenExpected expected{options_.issuer, options_.client_id, nonce};
  const bool had_keys = keys_.has_value();
  if (!had_keys)
    if (auto fetched = fetch_keys(places); !fetched) return tl::unexpected(fetched.error());
  auto claims = check_id_token(token, keys_->root(), expected, clock_.now());
  const bool new_key = !claims && claims.error().kind == ErrorKind::not_found;
  if (!new_key || !had_keys || clock_.steady_us() - keys_us_ < kKeysApartUs) return claims;
  if (auto fetched = fetch_keys(places); !fetched) return tl::unexpected(fetched.error());
  return check_id_token(token, keys_->root(), expected, clock_.now());
}

Result<SignedIn> OpenIdProvider::who_is(const Code& code) {
  const auto where = places();
  if (!where) return tl::unexpected(where.error());
  const auto tokens = exchange(*where, code);
  if (!tokens) return tl::unexpected(tokens.error());
  const auto claims = checked(tokens->root().member_text("id_token"), *where, code.nonce);
  if (!claims) return tl::unexpected(claims.error());
  if (has_roles_claim(claims->root(), options_) || where->user_info.empty())
    return who_claims_say(claims->root(), options_);
  const auto user = get(where->user_info, tokens->root().member_text("access_token"));
  if (!user) return tl::unexpected(user.error());
  // OpenID Connect Core section 5.3.2
  if (user->root().member_text("sub") != claims->root().member_text("sub"))
    return fail(ErrorKind::denied, "what the provider tells of the user is of another one");
  return who_claims_say(user->root(), options_);
}

}  // namespace carehub::adapters
