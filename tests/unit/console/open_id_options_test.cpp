#include "adapters/console/open_id_options.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

const std::string kGood =
    "issuer = \"https://id.example/realm\"\nclient_id = \"carehub\"\naddress = "
    "\"https://hub.example:8443/\"\n";
const std::string kRoles =
    "[console.openid.roles]\nauditors = \"auditor\"\n\"a.b c\" = [\"auditor\", \"manager\"]\n";

struct Folder {
  fakes::TemporaryDirectory directory;

  std::optional<OpenIdOptions> read(const std::string& text, std::string* fault = nullptr) const {
    auto document = ConfigDocument::parse("[console]\n" + text, "hub.toml");
    auto root = document.root();
    auto console = root.table("console");
    auto options = read_open_id(*console, directory.path(), {"auditor", "manager"});
    document.report_unused();
    if (fault != nullptr) *fault = document.faults().empty() ? "" : to_string(document.faults().front());
    return options;
  }
  std::string fault(const std::string& text) const {
    std::string first;
    (void)read("[console.openid]\n" + text, &first);
    return first;
  }
};

SignedIn who(const std::string& claims, OpenIdOptions options = {}) {
  options.issuer = "https://id.example";
  options.roles = {{"auditors", {"auditor"}}, {"both", {"auditor", "manager"}}};
  const auto document = json::Document::parse(claims);
  REQUIRE(document);
  return who_claims_say(document->root(), options);
}

}  // namespace

TEST_CASE("a provider is configured in a few lines, and there is none unless it is") {
  const Folder folder;
  CHECK_FALSE(folder.read(""));
  std::string fault;
  const auto options = folder.read("[console.openid]\n" + kGood + kRoles, &fault);
  CHECK(fault.empty());
  REQUIRE(options);
  CHECK(options->issuer == "https://id.example/realm");
  CHECK(options->address == "https://hub.example:8443");
  CHECK(options->scope == "openid profile");
  CHECK(options->roles_claim == "roles");
  CHECK(options->roles.at("auditors") == std::vector<std::string>{"auditor"});
  CHECK(options->roles.at("a.b c") == std::vector<std::string>{"auditor", "manager"});
}

TEST_CASE("what is wrong with a provider's configuration is told with its line and a remedy") {
  const Folder folder;
  const auto secret = folder.directory.path() / "secret";
  std::ofstream(secret) << "s";
  ::chmod(secret.c_str(), 0644);
  for (const auto& [text, told] : std::vector<std::pair<std::string, std::string>>{
           {kRoles, "hub.toml:2:1: "},
           {"issuer = \"http://id.example\"\n" + kGood.substr(kGood.find('\n') + 1) + kRoles,
            "hub.toml:3:10: this is not an address that begins with https://"},
           {kGood, "hub.toml:2:1: no value of the claim is named, so nobody would have a role"},
           {kGood + "[console.openid.roles]\na = \"auditr\"\n", "Did you mean `auditor`?"},
           {kGood + "scope = \"profile\"\n" + kRoles, "without the scope `openid`"},
           {kGood + "client_secret_file = \"nothing\"\n" + kRoles, "there is no such file"},
           {kGood + "client_secret_file = \"secret\"\n" + kRoles, "chmod 600"},
           {kGood + "client_secret = \"x\"\n" + kRoles, "unknown key `client_secret`"},
           {kGood + "ca_file = \"nothing\"\n" + kRoles, "there is no such file"}}) {
    const std::string fault = folder.fault(text);
    INFO(text << fault);
    CHECK(fault.find(told) != std::string::npos);
  }
  ::chmod(secret.c_str(), 0600);
  CHECK(folder.fault(kGood + "client_secret_file = \"secret\"\n" + kRoles).empty());
}

TEST_CASE("a claim gives the roles that are named for its values, and no other") {
  using Roles = std::vector<std::string>;
  CHECK(who(R"({"sub":"s","roles":["auditors"]})").roles == Roles{"auditor"});
  CHECK(who(R"({"sub":"s","roles":["both","auditors","both"]})").roles == Roles{"auditor", "manager"});
  CHECK(who(R"({"sub":"s","roles":"both"})").roles == Roles{"auditor", "manager"});
  // The name of a role is no value of the claim, and a list of something else none of roles.
  CHECK(who(R"({"sub":"s","roles":["auditor","manager","root",1,null,["auditors"],{"auditors":1}]})")
            .roles.empty());
  CHECK(who(R"({"sub":"s","roles":{"auditors":true}})").roles.empty());
  CHECK(who(R"({"sub":"s","groups":["auditors"]})").roles.empty());
  CHECK(who(R"({"sub":"s"})").roles.empty());
}

TEST_CASE("the claim may have dots in its name, or be inside of another") {
  OpenIdOptions options;
  options.roles_claim = "https://example.org/roles";
  CHECK(who(R"({"sub":"s","https://example.org/roles":["auditors"]})", options).roles.size() == 1);
  options.roles_claim = "realm_access.roles";
  CHECK(who(R"({"sub":"s","realm_access":{"roles":["auditors"]}})", options).roles.size() == 1);
  const auto document = json::Document::parse(R"({"realm_access":{}})");
  CHECK_FALSE(has_roles_claim(document->root(), options));
}

TEST_CASE(
    "who signs in has one id at every sign-in, which is not his name, and another one at another provider") {
  const SignedIn first = who(R"({"sub":"jo@example.org","name":"Jo"})");
  CHECK(first.name == "Jo");
  CHECK(first.id == who(R"({"sub":"jo@example.org","name":"Another name"})").id);
  CHECK(first.id != who(R"({"sub":"kim@example.org"})").id);
  CHECK(is_of_provider(first.id));
  CHECK_FALSE(is_of_provider("account-jo"));
  CHECK(is_account_name(first.id));
  CHECK(first.id.find("jo@") == std::string::npos);
  CHECK(who(R"({"sub":"s","preferred_username":"jo"})").name == "jo");
  CHECK(who(R"({"sub":"s","name":")" + std::string(200, 'a') + "\"}").name.starts_with("oidc-"));
}
