#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/console/accounts.hpp"
#include "broker/base/clock.hpp"
#include "broker/base/random.hpp"

namespace carehub::adapters {

struct SessionTimes {
  std::int64_t idle_us = 900 * kSecondUs;                           // from one page to the next
  std::int64_t absolute_us = std::int64_t{12} * 3'600 * kSecondUs;  // from signing in
};

/// Who is signed in. A session is a secret of 256 random bits that the browser keeps; here is its hash alone.
/// Not thread-safe.
class Sessions {
 public:
  /// Both outlive it.
  Sessions(SessionTimes times, const Clock& clock, Random& random);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  struct Session {
    SignedIn who;
    std::string until;  // the account's last day; empty: there is none
    std::int64_t began_us = 0;
    std::int64_t seen_us = 0;
    Timestamp idle_end = {};      // unless another page is asked for
    Timestamp absolute_end = {};  // whatever is asked for
  };

  /// A new one, and its secret. Where there are too many, of that account or at all, the one that has been
  /// idle for longest ends.
  std::string begin(const SignedIn& who, const std::string& until);
  /// The session of a secret, which is seen now; nullopt: there is none, or its time is over.
  std::optional<Session> find(std::string_view secret);
  void end(std::string_view secret);
  /// Every session of an account.
  void end_all_of(const std::string& id);
  std::size_t size() const { return sessions_.size(); }

  /// A secret for a browser that has no session: what its form is bound to. Nothing is kept of it.
  std::string form_secret();
  /// What a form has to send along with the secret in its cookie; another one with every start of the hub.
  std::string form_token(std::string_view secret) const;
  bool is_form_token(std::string_view secret, std::string_view token) const;

  static constexpr std::size_t kSessionsMax = 1'024;
  static constexpr std::size_t kOfAnAccountMax = 4;
  static constexpr std::size_t kSecretCharacters = 64;

 private:
  void end_expired();
  bool is_over(const Session& session) const;
  void make_room(const std::string* id);

  SessionTimes times_;
  const Clock& clock_;
  Random& random_;
  std::array<std::uint8_t, 32> form_key_{};
  std::map<Hash, Session> sessions_;
};

}  // namespace carehub::adapters
