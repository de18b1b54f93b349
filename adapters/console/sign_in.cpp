#include "adapters/console/sign_in.hpp"

#include <arpa/inet.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

#include "adapters/console/one_time_code.hpp"

namespace carehub::adapters {
namespace {

constexpr std::int64_t kBusyS = 10;

}  // namespace

SignIn::SignIn(const Clock& clock, Post post)
    : clock_(clock), post_(std::move(post)), names_(clock), addresses_(clock) {
  (void)nobodys_hash();  // now: made with the first unknown account it would take longer than for others
}

std::vector<std::string> SignIn::take(std::vector<Account> accounts) {
  std::vector<std::string> gone;
  for (const Account& before : accounts_) {
    const bool same =
        std::ranges::any_of(accounts, [&before](const Account& after) { return after.same_as(before); });
    if (!same) gone.push_back(before.who.id);
  }
  accounts_ = std::move(accounts);
  std::erase_if(used_steps_, [this](const auto& used) {
    return std::ranges::none_of(accounts_,
                                [&used](const Account& each) { return each.who.id == used.first; });
  });
  return gone;
}

const Account* SignIn::find(const std::string& name) const {
  const auto found =
      std::ranges::find_if(accounts_, [&name](const Account& each) { return each.who.name == name; });
  return found == accounts_.end() ? nullptr : &*found;
}

bool SignIn::knows(const SignedIn& who) const {
  return std::ranges::any_of(accounts_, [&who](const Account& each) { return each.who == who; });
}

void SignIn::attempt(std::string name, SecretText password, SecretText code, const std::string& address,
                     const Done& done) {
  if (!is_account_name(name)) name.clear();  // nobody's, and all of those are one
  if (const auto wait_s = std::max(names_.wait_s(name), addresses_.wait_s(address)); wait_s > 0) {
    refused(SignInRefusal::waits);
    return done({.wait_s = wait_s});
  }
  const Account* account = find(name);
  const std::string compared = account != nullptr ? account->password_hash : nobodys_hash();
  const bool taken = worker_.add([weak = weak_from_this(), post = post_, name, compared, address, done,
                                  password = std::make_shared<SecretText>(std::move(password)),
                                  code = std::make_shared<SecretText>(std::move(code))] {
    const bool right = is_password(compared, password->view());
    post([=] {
      if (const auto self = weak.lock()) self->decide(name, *code, address, right, compared, done);
    });
  });
  if (!taken) {
    refused(SignInRefusal::busy);
    return done({.wait_s = kBusyS, .busy = true});
  }
  names_.begin(name);
  addresses_.begin(address);
}

void SignIn::decide(const std::string& name, const SecretText& code, const std::string& address, bool right,
                    const std::string& compared, const Done& done) {
  static const Bytes kNobodysSecret(kCodeSecretBytes);
  const Account* account = find(name);
  if (account != nullptr && account->password_hash != compared) account = nullptr;  // changed meanwhile
  const std::int64_t used =
      account != nullptr && used_steps_.contains(account->who.id) ? used_steps_.at(account->who.id) : 0;
  const auto step = step_of_code(account != nullptr ? account->code_secret : kNobodysSecret, code.view(),
                                 clock_.now(), used);
  const bool over = account != nullptr && account->is_over(clock_.now());
  if (account == nullptr || over || !right || !step) {
    refused(account == nullptr ? SignInRefusal::unknown
            : over             ? SignInRefusal::ended
            : !right           ? SignInRefusal::password
                               : SignInRefusal::code);
    return done({});
  }
  used_steps_[account->who.id] = *step;
  names_.forget(name);
  addresses_.take_back(address);
  spdlog::info("console: account {} has signed in", account->who.id);
  done({.who = account->who, .until = account->until});
}

std::string network_of(const std::string& peer) {
  std::string address = peer.substr(0, peer.rfind(':'));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  in6_addr parsed{};
  if (::inet_pton(AF_INET6, address.c_str(), &parsed) != 1 || IN6_IS_ADDR_V4MAPPED(&parsed)) return address;
  std::fill(std::begin(parsed.s6_addr) + 8, std::end(parsed.s6_addr), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &parsed, text.data(), text.size());
  return text.data();
}

}  // namespace carehub::adapters
