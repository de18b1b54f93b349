#include "broker/core/rules.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::core;

namespace {

ledger::FilterT filled() {
  ledger::FilterT filter;
  filter.types = {event::EventType::admission, event::EventType::discharge};
  filter.agencies = {"elwick-hospital"};
  filter.tiers = {4};
  filter.thrive = {event::ThriveGroup::risk_support};
  filter.age_min_years = 5;
  filter.age_max_years = 17;
  filter.home_authorities = {"E10000099"};
  filter.gp_practices = {"Z99999"};
  filter.schools = {"900101"};
  filter.flag_reasons = {"child-protection-plan"};
  return filter;
}

}  // namespace

TEST_CASE("a filter's bytes verify and give the filter back, condition by condition") {
  const auto bytes = filter_bytes(filled());
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  REQUIRE(verifier.VerifyBuffer<ledger::Filter>(nullptr));
  ledger::FilterT back;
  flatbuffers::GetRoot<ledger::Filter>(bytes.data())->UnPackTo(&back);
  CHECK(back.types == filled().types);
  CHECK(back.agencies == filled().agencies);
  CHECK(back.tiers == filled().tiers);
  CHECK(back.thrive == filled().thrive);
  CHECK(back.age_min_years == 5);
  CHECK(back.age_max_years == 17);
  CHECK(back.home_authorities == filled().home_authorities);
  CHECK(back.gp_practices == filled().gp_practices);
  CHECK(back.schools == filled().schools);
  CHECK(back.flag_reasons == filled().flag_reasons);
  CHECK(filter_bytes(back) == bytes);
}

TEST_CASE("any condition that changes changes a filter's bytes") {
  const auto bytes = filter_bytes(filled());
  const std::vector<void (*)(ledger::FilterT&)> changes = {
      [](ledger::FilterT& filter) { filter.types.pop_back(); },
      [](ledger::FilterT& filter) { filter.agencies.clear(); },
      [](ledger::FilterT& filter) { filter.tiers.push_back(3); },
      [](ledger::FilterT& filter) { filter.thrive.clear(); },
      [](ledger::FilterT& filter) { filter.age_min_years = 0; },
      [](ledger::FilterT& filter) { filter.age_max_years = 255; },
      [](ledger::FilterT& filter) { filter.home_authorities[0] = "E10000098"; },
      [](ledger::FilterT& filter) { filter.gp_practices.clear(); },
      [](ledger::FilterT& filter) { filter.schools.emplace_back("900202"); },
      [](ledger::FilterT& filter) { filter.flag_reasons.clear(); },
  };
  for (std::size_t at = 0; at < changes.size(); ++at) {
    INFO("change " << at);
    auto changed = filled();
    changes[at](changed);
    CHECK(filter_bytes(changed) != bytes);
  }
}
