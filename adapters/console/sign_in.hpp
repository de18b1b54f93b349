#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/console/accounts.hpp"
#include "adapters/console/lockout.hpp"
#include "adapters/console/worker.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {

/// Why somebody was not let in; for counts alone, as whoever tries is not told.
enum class SignInRefusal : std::uint8_t {
  unknown,
  ended,
  password,
  code,
  waits,
  busy,
  form,
  provider,  // what came from it, or on its behalf, was not to be trusted
  no_role
};
constexpr std::size_t kSignInRefusals = 9;
using SignInCounts = std::array<std::uint64_t, kSignInRefusals>;

/// What whoever tried may know.
struct SignInOutcome {
  std::optional<SignedIn> who = {};           // he is in
  std::string until = {};                     // the last day on which he is
  std::int64_t wait_s = 0;                    // nothing was looked at: to try again after so long
  bool busy = false;                          // and that was not for what he tried
  std::optional<SignInRefusal> refusal = {};  // of a provider's, which is not counted yet
};

/// Signing in by account, password and one-time code. An account that is not there, a wrong password and a
/// wrong code are answered alike and take as long. On one thread, which `post` leads back to.
class SignIn : public std::enable_shared_from_this<SignIn> {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Done = std::function<void(SignInOutcome)>;

  /// The clock outlives it.
  SignIn(const Clock& clock, Post post);

  /// Those who may sign in from now on. The ids of those that were there and have gone or changed.
  std::vector<std::string> take(std::vector<Account> accounts);
  /// `address`: where it comes from. `done` is called now or by `post`.
  void attempt(std::string name, SecretText password, SecretText code, const std::string& address,
               const Done& done);

  /// Whether there still is such an account, unchanged.
  bool knows(const SignedIn& who) const;

  void refused(SignInRefusal cause) { ++counts_.at(static_cast<std::size_t>(cause)); }
  const SignInCounts& counts() const { return counts_; }

 private:
  void decide(const std::string& name, const SecretText& code, const std::string& address, bool right,
              const std::string& compared, const Done& done);
  const Account* find(const std::string& name) const;

  const Clock& clock_;
  Post post_;
  std::vector<Account> accounts_;
  std::map<std::string, std::int64_t> used_steps_;  // by id: no code is good twice
  Lockout names_;
  Lockout addresses_;
  SignInCounts counts_{};
  Worker worker_;
};

/// The part of a peer's name that wrong attempts are counted by: an IPv4 address, or the network of an IPv6
/// one, as whoever has one address of it has them all.
std::string network_of(const std::string& peer);

}  // namespace carehub::adapters
