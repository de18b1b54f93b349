#include "broker/core/named_child.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/core/identity.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

core::NamedChild named(EngineHarness& hub, const std::string& typed) {
  return *core::named_child(*hub.state, hub.vault.index_key(), typed);
}

}  // namespace

TEST_CASE("a child is named by number or by entry, and by the identifier's hash where nobody knows it") {
  EngineHarness hub;
  const auto hospital = EngineHarness::peer(1, "elwick-hospital");
  const auto sequence = hub.publish_one(hospital, item_of(EventSpec{})).sequence;
  const auto by_number = named(hub, "nhs:" + test_nhs_number(1));
  REQUIRE(by_number.person);
  CHECK(key_from<PersonKey>(*by_number.written) == *by_number.person);
  const auto by_entry = named(hub, "sequence:" + std::to_string(sequence));
  CHECK(by_entry.well_formed);
  CHECK(by_entry.person == by_number.person);
  CHECK(by_entry.what == "sequence:" + std::to_string(sequence));
  const auto stranger = named(hub, "nhs:" + test_nhs_number(2));
  CHECK(stranger.well_formed);
  CHECK_FALSE(stranger.person);
  CHECK(key_from<KeyedHash>(*stranger.written) ==
        core::identifier_hash(hub.vault.index_key(), "nhs:" + test_nhs_number(2)));
  const auto no_entry = named(hub, "sequence:4000");
  CHECK(no_entry.well_formed);
  CHECK_FALSE(no_entry.person);
  CHECK_FALSE(no_entry.written);
  for (const auto* text : {"", "Marlow", "sequence:", "sequence:0", "sequence:1x", "nhs:9990000019"}) {
    CAPTURE(text);
    CHECK_FALSE(named(hub, text).well_formed);
  }
}
