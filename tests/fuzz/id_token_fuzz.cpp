// What comes back from a provider of sign-ins: a token, and the keys that it may be signed by. Nobody here
// can sign, so that nothing may be taken, whatever the keys are.
#include <cstdlib>
#include <string>

#include "adapters/console/id_token.hpp"
#include "adapters/console/open_id_options.hpp"

using namespace carehub;
using namespace carehub::adapters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string token = text.substr(0, text.find('\n'));
  const std::string rest = text.substr(std::min(text.size(), token.size() + 1));
  static const json::Document none = *json::Document::parse("{}");
  const auto keys = json::Document::parse(rest);
  const IdTokenExpected expected{"https://id.example", "carehub", "n-1"};
  const auto claims =
      check_id_token(token, keys ? keys->root() : none.root(), expected, {1'800'000'000 * kSecondUs});
  if (claims || claims.error().text.size() > 200) std::abort();
  if (!keys || keys->root().kind() != json::Kind::object) return 0;
  OpenIdOptions options;
  options.roles = {{"auditors", {"auditor"}}};
  const SignedIn who = who_claims_say(keys->root(), options);
  if (!is_of_provider(who.id) || !is_account_name(who.id) || who.roles.size() > 1) std::abort();
  if (!who.roles.empty() && !has_roles_claim(keys->root(), options)) std::abort();
  return 0;
}
