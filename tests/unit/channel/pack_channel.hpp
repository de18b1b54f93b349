#pragma once

#include <catch2/catch.hpp>
#include <filesystem>

#include "adapters/channel/interpreter.hpp"
#include "tests/fakes/seeded_random.hpp"

namespace carehub::adapters {

inline Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

/// One of the packs that come with the project.
inline std::shared_ptr<const Pack> pack_named(const std::string& name) {
  std::vector<ConfigFault> faults;
  auto pack = load_pack(std::filesystem::path(CAREHUB_SOURCE_DIR) / "adapters" / name, std::nullopt, faults);
  for (const ConfigFault& fault : faults) UNSCOPED_INFO(to_string(fault));
  REQUIRE(pack != nullptr);
  return pack;
}

/// The format and mapping of a school's channel, without transport and hub.
struct PackChannel {
  explicit PackChannel(const std::string& name) : pack(pack_named(name)) {
    options = {"holm-school", "holm-referrals", Unmappable::refuse, &random};
  }
  std::unique_ptr<InboundMessage> interpret(std::string_view text,
                                            const std::string& source = "in/day.csv") const {
    return make_interpreter(pack, options)->interpret(bytes_from(text), Arrival{{5}, source, {}});
  }

  fakes::SeededRandom random{3};
  std::shared_ptr<const Pack> pack;
  InterpreterOptions options;
};

/// The first value at a path of what is published, or nothing.
inline std::string value_of(const client::Publication& publication, const std::string& path) {
  const auto* event = verified_event(publication.event);
  REQUIRE(event != nullptr);
  const auto all = field_values(*event, *FieldPath::parse(path));
  return all.empty() ? std::string{} : all.front();
}

}  // namespace carehub::adapters
