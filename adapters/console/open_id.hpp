#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "adapters/console/form.hpp"
#include "adapters/console/lockout.hpp"
#include "adapters/console/open_id_provider.hpp"
#include "adapters/console/sign_in.hpp"
#include "adapters/console/worker.hpp"
#include "broker/base/random.hpp"

namespace carehub::adapters {

/// Signing in by a provider: the authorisation code flow of OpenID Connect with PKCE (RFC 7636). The browser
/// keeps a secret, and `state`, `nonce` and PKCE's verifier are made of it: of who has begun and not ended
/// nothing is kept here. On one thread, which `post` leads back to.
class OpenId : public std::enable_shared_from_this<OpenId> {
 public:
  /// Clock and random outlive it.
  OpenId(OpenIdOptions options, const Clock& clock, Random& random, SignIn::Post post);
  ~OpenId();
  OpenId(const OpenId&) = delete;
  OpenId& operator=(const OpenId&) = delete;

  /// Where the browser is to go, and the secret that it is to keep. Without a place: to try again later.
  struct Departure {
    std::string location;
    std::string secret;
  };
  void leave(const std::function<void(Departure)>& done);
  /// The browser is back, with a query and its secret.
  void arrive(const Form& query, const std::string& secret, const std::string& address,
              const SignIn::Done& done);

  /// Where somebody who signed out here can sign out at the provider; empty: nowhere.
  const std::string& sign_out_address() const { return sign_out_address_; }

  static constexpr std::int64_t kSecretS = 600;  // that a browser's secret is good for

 private:
  std::string made_of(const std::string& secret, std::string_view what) const;
  bool is_good(const std::string& secret) const;
  bool is_own(const Form& query, const std::string& secret) const;
  void landed(const Result<SignedIn>& who, const std::string& address, const SignIn::Done& done);
  void take_places(const ProviderPlaces& places);
  void say(const Error& error);

  OpenIdOptions options_;
  const Clock& clock_;
  Random& random_;
  SignIn::Post post_;
  std::array<std::uint8_t, 32> key_{};
  Lockout addresses_;
  std::string sign_out_address_;
  std::int64_t say_again_us_ = 0;
  std::atomic<bool> stop_{false};             // between this thread and the worker's
  std::shared_ptr<OpenIdProvider> provider_;  // the worker's
  Worker worker_;                             // the last: it ends before what it works on goes
};

}  // namespace carehub::adapters
