// What people write: a policy, read as TOML with every fault found in its place.
#include <cstdlib>

#include "broker/core/policy.hpp"

using namespace carehub;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto document = ConfigDocument::parse(text, "policy.toml");
  const auto policy = core::Policy::read(document, 1);
  for (const auto& fault : document.faults()) {
    // Every fault says what it is, what to do, and where, on a line that is there.
    if (fault.text.empty() || fault.remedy.empty() || fault.line > size + 1) std::abort();
    if (to_string(fault).find("policy.toml") == std::string::npos) std::abort();
  }
  // What a rule lacks is no reason to show more.
  for (const auto& rule : policy.rules()) {
    if (rule.legal_basis.empty() || rule.role.empty() || rule.types.empty()) std::abort();
    if (rule.show.empty() && rule.coarsen.empty()) std::abort();
  }
  return 0;
}
