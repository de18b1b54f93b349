#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "adapters/console/accounts.hpp"
#include "adapters/console/open_id_options.hpp"
#include "adapters/formats/json.hpp"
#include "broker/base/clock.hpp"

namespace carehub::adapters {

/// Where the provider does what (OpenID Connect Discovery 1.0 section 3).
struct ProviderPlaces {
  std::string authorization;
  std::string token;
  std::string keys;
  std::string user_info;        // empty: there is none
  std::string end_session;      // likewise
  bool names_itself = false;    // in what it sends people back with (RFC 9207)
  bool secret_in_form = false;  // and not by HTTP Basic
};

/// What a provider is asked, over TLS. Each call waits for its answer; on one thread. Errors: `unavailable`,
/// it does not answer, or not as a provider does; `denied`, what it says is not to be trusted; `conflict`, it
/// was not the provider's code, or it has been used. None of them repeats a code, token or claim.
class OpenIdProvider {
 public:
  /// Both outlive it. `stop`: ends what is under way.
  OpenIdProvider(OpenIdOptions options, const Clock& clock, const std::atomic<bool>& stop)
      : options_(std::move(options)), clock_(clock), stop_(stop) {}

  /// Asked again after an hour.
  Result<ProviderPlaces> places();

  struct Code {
    std::string code;
    std::string verifier;  // RFC 7636
    std::string nonce;
  };
  /// Whom a code is for, from the ID token that it is exchanged for, and, where that says nothing of roles,
  /// from what the provider tells of the user.
  Result<SignedIn> who_is(const Code& code);

 private:
  Result<json::Document> get(const std::string& url, const std::string& bearer = {});
  Result<json::Document> exchange(const ProviderPlaces& places, const Code& code);
  Result<json::Document> checked(const std::string& token, const ProviderPlaces& places,
                                 const std::string& nonce);
  Result<void> fetch_keys(const ProviderPlaces& places);
  std::string host() const;

  OpenIdOptions options_;
  const Clock& clock_;
  const std::atomic<bool>& stop_;
  std::optional<ProviderPlaces> places_;
  std::int64_t places_us_ = 0;  // when they were asked for
  std::optional<json::Document> keys_;
  std::int64_t keys_us_ = 0;
};

/// `text` in a query or form (WHATWG URL section 5.2).
std::string form_text(std::string_view text);

}  // namespace carehub::adapters
