#include "broker/core/present_name.hpp"

namespace carehub::core {

std::optional<std::uint32_t> present_name(const event::Event& event) {
  const auto* person = event.person();
  if (person == nullptr || person->names() == nullptr) return std::nullopt;
  for (flatbuffers::uoffset_t at = 0; at < person->names()->size(); ++at) {
    const auto use = person->names()->Get(at)->use();
    if (use == event::NameUse::unknown || use == event::NameUse::official || use == event::NameUse::usual)
      return at;
  }
  return std::nullopt;
}

}  // namespace carehub::core
