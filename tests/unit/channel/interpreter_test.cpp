#include "adapters/channel/interpreter.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("the pack's format chooses the interpreter") {
  const auto root = std::filesystem::path(CAREHUB_SOURCE_DIR) / "adapters";
  fakes::SeededRandom random(1);
  for (const auto& [name, media_type] : {std::pair{"hospital/hl7v2.toml", "x-application/hl7-v2+er7"},
                                         std::pair{"school/referrals.toml", "text/csv"},
                                         std::pair{"council/events.toml", "application/json"}}) {
    std::vector<ConfigFault> faults;
    auto pack = load_pack(root / name, std::nullopt, faults);
    REQUIRE(pack != nullptr);
    const auto interpreter = make_interpreter(std::move(pack), {"a", "c", Unmappable::refuse, &random});
    // Nothing at all is a problem in every format, never silence.
    const auto publications = interpreter->interpret({}, {})->take_publications();
    REQUIRE(publications.size() == 1);
    CHECK(publications[0].problem);
    CHECK(publications[0].original_media_type == media_type);
  }
}
