#include "broker/core/replay_span.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");

/// A hub that took one event of each child, a minute apart.
struct Minutes {
  explicit Minutes(int children) {
    for (int child = 1; child <= children; ++child) {
      EventSpec spec;
      spec.child = child;
      sequences.push_back(hub.publish_one(kHospital, item_of(spec)).sequence);
      times.push_back(hub.clock.now());
      hub.pass_ms(60'000);
    }
  }
  std::optional<core::ReplaySpan> span(const wire::ReplayT& wanted) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(wire::Replay::Pack(builder, &wanted));
    const auto* read = flatbuffers::GetRoot<wire::Replay>(builder.GetBufferPointer());
    const auto found = core::replay_span(*hub.state, hub.state->head(), *read);
    REQUIRE(found);
    return *found;
  }

  EngineHarness hub;
  std::vector<Sequence> sequences;
  std::vector<Timestamp> times;
};

}  // namespace

TEST_CASE("a replay that names no span is of the whole ledger as it is now") {
  Minutes minutes(2);
  const auto all = minutes.span({});
  REQUIRE(all);
  CHECK(all->first == 1);
  CHECK(all->last == minutes.hub.state->head());
}

TEST_CASE("a span by number ends with the ledger, and one behind it is none") {
  Minutes minutes(2);
  wire::ReplayT wanted;
  wanted.first = minutes.sequences[1];
  wanted.last = 1'000'000;
  CHECK(minutes.span(wanted)->first == minutes.sequences[1]);
  CHECK(minutes.span(wanted)->last == minutes.hub.state->head());
  wanted.first = minutes.hub.state->head() + 1;
  CHECK_FALSE(minutes.span(wanted));
}

TEST_CASE("a span by time holds what was written down from the first moment through the last") {
  Minutes minutes(3);
  wire::ReplayT wanted;
  wanted.first_at = minutes.times[1].us;
  wanted.last_at = minutes.times[1].us;
  const auto minute = minutes.span(wanted);
  REQUIRE(minute);
  CHECK(minute->first <= minutes.sequences[1]);
  CHECK(minute->first > minutes.sequences[0]);
  CHECK(minute->last >= minutes.sequences[1]);
  CHECK(minute->last < minutes.sequences[2]);
  wanted.first_at = minutes.times[2].us + 3'600 * kSecondUs;
  wanted.last_at = 0;
  CHECK_FALSE(minutes.span(wanted));
}

TEST_CASE("whom an identifier names is found by number or by an entry, and nobody is nobody") {
  Minutes minutes(2);
  const auto named = [&](const std::string& identifier) {
    const auto found = core::person_named(*minutes.hub.state, minutes.hub.vault.index_key(), identifier);
    REQUIRE(found);
    return *found;
  };
  const auto first = named("nhs:" + test_nhs_number(1));
  REQUIRE(first);
  CHECK(named("sequence:" + std::to_string(minutes.sequences[0])) == first);
  CHECK(named("sequence:" + std::to_string(minutes.sequences[1])) != first);
  CHECK_FALSE(named("nhs:" + test_nhs_number(9)));
  CHECK_FALSE(named("sequence:1000000"));
  CHECK_FALSE(named("sequence:1x"));
  CHECK_FALSE(named("Jo Ashdown"));
}
