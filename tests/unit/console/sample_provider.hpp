#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/console/open_id_options.hpp"
#include "tests/fakes/temporary_directory.hpp"
#include "tests/fakes/tls_endpoint.hpp"
#include "tests/unit/console/sample_tokens.hpp"

namespace carehub::test {

/// A provider as far as a test wants it to be one. What it answers at a path can be anything.
class SampleProvider {
 public:
  SampleProvider() {
    say("/.well-known/openid-configuration", metadata());
    say("/keys", keys_of(provider_key().json()));
    say("/me", R"({"sub":"s1","roles":["auditors"]})");
    give_token(claims("n-1"));
  }

  std::string issuer() const {
    std::string url = endpoint.url();
    url.pop_back();
    return url;
  }
  adapters::OpenIdOptions options() const {
    adapters::OpenIdOptions options;
    options.issuer = issuer();
    options.client_id = "carehub";
    options.address = "https://hub.example";
    options.roles = {{"auditors", {"auditor"}}};
    options.ca_file = certificate;
    return options;
  }
  std::string metadata(const std::string& more = "") const {
    const std::string at = issuer();
    return R"({"issuer":")" + at + R"(","authorization_endpoint":")" + at + R"(/auth","token_endpoint":")" +
           at + R"(/token","jwks_uri":")" + at + R"(/keys","userinfo_endpoint":")" + at + "/me\"" + more +
           "}";
  }
  std::string claims(const std::string& nonce, const std::string& more = R"(,"roles":["auditors"])",
                     std::int64_t now_s = 1'800'000'000) const {
    return R"({"iss":")" + issuer() + R"(","aud":"carehub","sub":"s1","name":"Jo","nonce":")" + nonce +
           R"(","iat":)" + std::to_string(now_s) + R"(,"exp":)" + std::to_string(now_s + 300) + more + "}";
  }
  void give_token(const std::string& claims, const SigningKey& key = provider_key(),
                  const std::string& id = "k1") {
    say("/token", R"({"access_token":"a1","id_token":")" + key.sign(claims, "RS256", id) + "\"}");
  }
  void say(const std::string& path, const std::string& body, const std::string& status = "200 OK") {
    const std::lock_guard lock(mutex_);
    answers_[path] = fakes::TlsEndpoint::answer(status, body);
  }
  /// Whole requests at a path.
  std::vector<std::string> asked(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return asked_[path];
  }

  fakes::TemporaryDirectory directory;
  std::filesystem::path certificate = directory.path() / "provider.pem";

 private:
  std::string respond(const std::string& request) {
    const std::lock_guard lock(mutex_);
    const auto from = request.find(' ') + 1;
    const std::string path = request.substr(from, request.find(' ', from) - from);
    asked_[path].push_back(request);
    return answers_.contains(path) ? answers_.at(path) : fakes::TlsEndpoint::answer("404 Not Found", "");
  }

  std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::map<std::string, std::vector<std::string>> asked_;

 public:
  fakes::TlsEndpoint endpoint{"IP:127.0.0.1", certificate,
                              [this](const std::string& request) { return respond(request); }};
};

}  // namespace carehub::test
