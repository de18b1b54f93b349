#pragma once

#include "adapters/console/accounts.hpp"
#include "adapters/console/one_time_code.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::test {

inline const char* const kPassword = "correct horse battery";

/// Hashing takes a second by design, so it is done once.
inline const std::string& password_hash() {
  static const std::string hash = adapters::hash_password(kPassword).value();
  return hash;
}

inline adapters::Account account(const std::string& name) {
  adapters::Account made;
  made.who = {"account-" + name, name, {"case-manager", "auditor"}};
  made.password_hash = password_hash();
  made.code_secret.assign(adapters::kCodeSecretBytes, static_cast<std::uint8_t>(name.front()));
  return made;
}

inline SecretText secret(std::string_view text) { return SecretText({text.begin(), text.end()}); }

inline std::string code_of(const adapters::Account& account, Timestamp now) {
  return adapters::one_time_code(account.code_secret, now.us / adapters::kCodeStepUs);
}

}  // namespace carehub::test
