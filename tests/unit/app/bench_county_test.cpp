#include "broker/app/bench_county.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "broker/base/identifiers.hpp"
#include "broker/core/policy.hpp"
#include "schemas/event_generated.h"

using namespace carehub;
using namespace carehub::app;

namespace {

const event::Event& event_of(const client::Publication& publication) {
  flatbuffers::Verifier verifier(publication.event.data(), publication.event.size());
  REQUIRE(event::VerifyEventBuffer(verifier));
  return *event::GetEvent(publication.event.data());
}

}  // namespace

TEST_CASE("every event of the bench is whole, about a child of the test range, and of the size asked for") {
  BenchEvents events({1'000, 5, 600, 7, 1});
  CHECK(events.event_bytes() >= 596);
  CHECK(events.event_bytes() <= 608);
  std::set<std::string> ids, numbers, schools;
  for (int each = 0; each < 200; ++each) {
    const auto publication = events.next();
    const auto& event = event_of(publication);
    const std::string number = event.person()->nhs_number()->str();
    CHECK(number.starts_with("999"));
    CHECK(NhsNumber::parse(number).has_value());
    ids.insert(event.id()->str());
    numbers.insert(number);
    schools.insert(event.person()->school()->code()->str());
  }
  CHECK(ids.size() == 200);
  CHECK(numbers.size() > 100);
  CHECK(schools == std::set<std::string>{"900001", "900002", "900003"});
}

TEST_CASE("the seed decides the children, and the run's number keeps two runs apart") {
  BenchEvents one({1'000, 3, 600, 7, 1}), again({1'000, 3, 600, 7, 2}), other({1'000, 3, 600, 8, 1});
  int same = 0;
  for (int each = 0; each < 50; ++each) {
    const auto first = one.next(), second = again.next(), third = other.next();
    CHECK(event_of(first).person()->nhs_number()->str() == event_of(second).person()->nhs_number()->str());
    CHECK(event_of(first).id()->str() != event_of(second).id()->str());
    if (event_of(first).person()->nhs_number()->str() == event_of(third).person()->nhs_number()->str())
      ++same;
  }
  CHECK(same < 10);
}

TEST_CASE("the test range of NHS numbers has enough children for the bench") {
  BenchEvents events({BenchEvents::kChildrenMax, 3, 600, 1, 1});
  CHECK(NhsNumber::parse(events.any_person().substr(4)).has_value());
}

TEST_CASE("however many schools there are an event concerns three subscriptions") {
  CHECK(bench_subscriptions(1).size() == 1);
  CHECK(bench_subscriptions(500).size() == 500);
  CHECK(bench_matches(1) == 1);
  CHECK(bench_matches(3) == 3);
  CHECK(bench_matches(500) == 3);
  const auto rules = bench_rules(500);
  CHECK(rules.subscriptions.size() == 500);
  CHECK(rules.subscriptions.back().filter.schools == std::vector<std::string>{"900498"});
}
