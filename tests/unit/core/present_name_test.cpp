#include "broker/core/present_name.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/events.hpp"

using namespace carehub;

namespace {

std::optional<std::uint32_t> present_of(
    std::initializer_list<std::pair<std::string_view, std::string_view>> values) {
  return core::present_name(*verified_event(fakes::event_of(values)));
}

}  // namespace

TEST_CASE("the present name is the first that is not said to be of before or another") {
  CHECK(present_of({{"person.names[0].use", "official"}, {"person.names[1].use", "usual"}}) == 0U);
  CHECK(present_of({{"person.names[0].family", "Alder"}, {"person.names[1].use", "usual"}}) == 0U);
  for (const auto* former : {"old", "maiden", "alias", "nickname"}) {
    INFO(former);
    CHECK(present_of({{"person.names[0].use", former}, {"person.names[1].use", "usual"}}) == 1U);
    CHECK_FALSE(present_of({{"person.names[0].use", former}}));
  }
}

TEST_CASE("without a name there is no present one") {
  CHECK_FALSE(present_of({}));
  CHECK_FALSE(present_of({{"person.nhs_number", "9990000018"}}));
}
