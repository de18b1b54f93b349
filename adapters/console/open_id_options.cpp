#include "adapters/console/open_id_options.hpp"

#include <sodium.h>

#include <algorithm>

#include "adapters/formats/json.hpp"
#include "broker/base/secret_file.hpp"
#include "broker/base/utf8.hpp"

namespace carehub::adapters {
namespace {

constexpr const char* kIdStart = "oidc-";
constexpr std::size_t kIdHashBytes = 8;
constexpr std::size_t kAddressBytesMax = 512;
constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kClaimValuesMax = 512;

bool is_https(const std::string& address) {
  return address.starts_with("https://") && address.size() > 8 && address.size() <= kAddressBytesMax &&
         address.find_first_of(" \"<>\\^`{|}?#\r\n\t") == std::string::npos;
}

void check_file(ConfigTable& table, const char* key, const std::filesystem::path& file, bool secret) {
  if (!std::filesystem::is_regular_file(file)) {
    table.fault(key, "there is no such file", "Name one that is there");
  } else if (secret && is_open_to_others(file)) {
    table.fault(key, "others may read or change the file", "Run chmod 600 on it");
  }
}

void read_roles(ConfigTable& table, const std::vector<std::string>& policy, OpenIdOptions& options) {
  auto mapped = table.table("roles");
  if (!mapped || mapped->keys().empty()) {
    table.fault("roles", "no value of the claim is named, so nobody would have a role",
                "Write roles = { \"value of the claim\" = \"role of the policy\" }");
    return;
  }
  for (const std::string& value : mapped->keys()) {
    for (const std::string& role : options.roles[value] = mapped->text_or_texts(value)) {
      if (std::ranges::find(policy, role) != policy.end()) continue;
      const std::string nearest = nearest_word(role, policy);
      mapped->fault(value, "the policy has no role `" + role + "`",
                    nearest.empty() ? "Name a role of the policy" : "Did you mean `" + nearest + "`?");
    }
  }
}

/// By its whole name, which may have dots in it (https://example.org/roles), or else by a path.
std::optional<json::Value> roles_claim(const json::Value& claims, const OpenIdOptions& options) {
  if (auto whole = claims.member(options.roles_claim)) return whole;
  const auto path = json::Path::parse(options.roles_claim);
  if (!path || path->open_lists() > 0) return std::nullopt;
  return claims.at(*path, {});
}

}  // namespace

std::optional<OpenIdOptions> read_open_id(ConfigTable& console, const std::filesystem::path& folder,
                                          const std::vector<std::string>& roles) {
  auto table = console.table("openid");
  if (!table) return std::nullopt;
  OpenIdOptions options;
  options.issuer = table->text("issuer");
  options.client_id = table->text("client_id");
  options.address = table->text("address");
  for (const char* key : {"issuer", "address"}) {
    const std::string& address = key[0] == 'i' ? options.issuer : options.address;
    if (!address.empty() && !is_https(address))
      table->fault(key, "this is not an address that begins with https://, without a query",
                   "Write the address in full");
  }
  if (options.address.ends_with('/')) options.address.pop_back();
  options.scope = table->optional_text("scope").value_or(options.scope);
  if ((" " + options.scope + " ").find(" openid ") == std::string::npos)
    table->fault("scope", "without the scope `openid` the provider does not say who signed in",
                 "Write scope = \"openid profile\"");
  options.roles_claim = table->optional_text("roles_claim").value_or(options.roles_claim);
  read_roles(*table, roles, options);
  if (const auto file = table->optional_text("client_secret_file")) {
    options.client_secret_file = folder / *file;
    check_file(*table, "client_secret_file", options.client_secret_file, true);
  }
  if (const auto file = table->optional_text("ca_file")) {
    options.ca_file = folder / *file;
    check_file(*table, "ca_file", options.ca_file, false);
  }
  return options;
}

bool has_roles_claim(const json::Value& claims, const OpenIdOptions& options) {
  return roles_claim(claims, options).has_value();
}

bool is_of_provider(const std::string& id) { return id.starts_with(kIdStart); }

SignedIn who_claims_say(const json::Value& claims, const OpenIdOptions& options) {
  SignedIn who;
  Hash hash{};
  const std::string subject = options.issuer + "\n" + claims.member_text("sub");
  crypto_hash_sha256(hash.data(), bytes_of(subject).data(), subject.size());
  who.id = kIdStart + to_hex(BytesView(hash).first(kIdHashBytes));
  for (const char* claim : {"name", "preferred_username"})
    if (who.name.empty()) who.name = claims.member_text(claim);
  if (who.name.empty() || who.name.size() > kNameBytesMax) who.name = who.id;
  const auto take = [&](std::string_view value) {
    const auto named = options.roles.find(std::string(value));
    if (named == options.roles.end()) return;
    for (const std::string& role : named->second)
      if (std::ranges::find(who.roles, role) == who.roles.end() && who.roles.size() < kAccountRolesMax)
        who.roles.push_back(role);
  };
  const auto values = roles_claim(claims, options);
  if (values && values->kind() == json::Kind::text) take(values->text());
  if (values && values->kind() == json::Kind::array)
    for (std::size_t at = 0; at < std::min(values->size(), kClaimValuesMax); ++at)
      take(values->element(at).text());
  return who;
}

}  // namespace carehub::adapters
