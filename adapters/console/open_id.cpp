#include "adapters/console/open_id.hpp"

#include <sodium.h>
#include <spdlog/spdlog.h>

#include <charconv>

namespace carehub::adapters {
namespace {

constexpr std::size_t kTimeDigits = 16;
constexpr std::size_t kSecretCharacters = kTimeDigits + 64;
constexpr std::int64_t kBusyS = 10;
constexpr std::int64_t kSayApartUs = 60 * kSecondUs;
constexpr std::size_t kCodeBytesMax = 4'096;

std::string hex_of(std::int64_t number) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t at = 0; at < bytes.size(); ++at)
    bytes.at(at) = static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> (56U - 8U * at));
  return to_hex(bytes);
}

/// RFC 7636 section 4.2
std::string challenge_of(const std::string& verifier) {
  Hash hash{};
  crypto_hash_sha256(hash.data(), bytes_of(verifier).data(), verifier.size());
  std::array<char, sodium_base64_ENCODED_LEN(sizeof(Hash), sodium_base64_VARIANT_URLSAFE_NO_PADDING)> text{};
  sodium_bin2base64(text.data(), text.size(), hash.data(), hash.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return text.data();
}

std::string_view field(const Form& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view() : found->second.view();
}

}  // namespace

OpenId::OpenId(OpenIdOptions options, const Clock& clock, Random& random, SignIn::Post post)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      post_(std::move(post)),
      addresses_(clock),
      provider_(std::make_shared<OpenIdProvider>(options_, clock, stop_)) {
  random_.fill(key_);
}

OpenId::~OpenId() {
  stop_ = true;
  sodium_memzero(key_.data(), key_.size());
}

std::string OpenId::made_of(const std::string& secret, std::string_view what) const {
  const std::string text = std::string(what) + ":" + secret;
  Hash mac{};
  crypto_generichash(mac.data(), mac.size(), bytes_of(text).data(), text.size(), key_.data(), key_.size());
  return to_hex(mac);
}

bool OpenId::is_good(const std::string& secret) const {
  std::int64_t began_s = 0;
  if (secret.size() != kSecretCharacters) return false;
  const auto [end, error] = std::from_chars(secret.data(), secret.data() + kTimeDigits, began_s, 16);
  const std::int64_t now_s = clock_.now().us / kSecondUs;
  return error == std::errc{} && end == secret.data() + kTimeDigits && began_s <= now_s &&
         now_s - began_s < kSecretS;
}

bool OpenId::is_own(const Form& query, const std::string& secret) const {
  const std::string right = made_of(secret, "state");
  const auto state = field(query, "state");
  return is_good(secret) && state.size() == right.size() &&
         sodium_memcmp(state.data(), right.data(), right.size()) == 0;
}

void OpenId::take_places(const ProviderPlaces& places) {
  if (places.end_session.empty()) return;
  sign_out_address_ = places.end_session + (places.end_session.find('?') == std::string::npos ? "?" : "&") +
                      "client_id=" + form_text(options_.client_id);
}

void OpenId::say(const Error& error) {
  if (clock_.steady_us() < say_again_us_) return;
  say_again_us_ = clock_.steady_us() + kSayApartUs;
  if (error.kind == ErrorKind::conflict) {
    spdlog::warn("console: nobody was let in: {}", error.text);
  } else {
    spdlog::error("code=CH-CONSOLE-OPENID alarm=true nobody was let in: {}", error.text);
  }
}

void OpenId::leave(const std::function<void(Departure)>& done) {
  std::array<std::uint8_t, 32> bytes{};
  random_.fill(bytes);
  const std::string secret = hex_of(clock_.now().us / kSecondUs) + to_hex(bytes);
  std::string query =
      "response_type=code&client_id=" + form_text(options_.client_id) +
      "&redirect_uri=" + form_text(options_.address + kArrivalPath) + "&scope=" + form_text(options_.scope) +
      "&state=" + made_of(secret, "state") + "&nonce=" + made_of(secret, "nonce") +
      "&code_challenge=" + challenge_of(made_of(secret, "verifier")) + "&code_challenge_method=S256";
  const bool taken =
      worker_.add([weak = weak_from_this(), post = post_, provider = provider_, done, secret, query] {
        post([weak, done, secret, query, places = provider->places()] {
          const auto self = weak.lock();
          if (!self) return;
          if (!places) {
            self->say(places.error());
            return done({});
          }
          self->take_places(*places);
          const bool more = places->authorization.find('?') != std::string::npos;
          done({places->authorization + (more ? "&" : "?") + query, secret});
        });
      });
  if (!taken) done({});
}

void OpenId::arrive(const Form& query, const std::string& secret, const std::string& address,
                    const SignIn::Done& done) {
  if (!is_own(query, secret)) return done({.refusal = SignInRefusal::form});
  if (const auto wait_s = addresses_.wait_s(address); wait_s > 0)
    return done({.wait_s = wait_s, .refusal = SignInRefusal::waits});
  const auto issuer = field(query, "iss");  // RFC 9207: an answer of another provider is not for this one
  const auto code = field(query, "code");
  if (code.empty() || code.size() > kCodeBytesMax || (!issuer.empty() && issuer != options_.issuer))
    return done({.refusal = SignInRefusal::provider});
  const OpenIdProvider::Code brought{std::string(code), made_of(secret, "verifier"),
                                     made_of(secret, "nonce")};
  const bool taken = worker_.add([weak = weak_from_this(), post = post_, provider = provider_, brought,
                                  address, named = !issuer.empty(), done] {
    const auto places = provider->places();
    Result<SignedIn> who =
        places && places->names_itself && !named
            ? fail(ErrorKind::denied, "the provider names itself in its answers, and this one does not")
            : provider->who_is(brought);
    post([weak, who = std::move(who), address, done] {
      if (const auto self = weak.lock()) self->landed(who, address, done);
    });
  });
  if (!taken) return done({.wait_s = kBusyS, .busy = true, .refusal = SignInRefusal::busy});
  addresses_.begin(address);
}

void OpenId::landed(const Result<SignedIn>& who, const std::string& address, const SignIn::Done& done) {
  if (!who) {
    say(who.error());
    const bool later = who.error().kind != ErrorKind::denied && who.error().kind != ErrorKind::conflict;
    if (later) addresses_.take_back(address);
    return done({.wait_s = later ? kBusyS : 0, .busy = later, .refusal = SignInRefusal::provider});
  }
  addresses_.take_back(address);
  if (who->roles.empty()) return done({.refusal = SignInRefusal::no_role});
  spdlog::info("console: account {} has signed in by the provider", who->id);
  done({.who = *who});
}

}  // namespace carehub::adapters
