#include "broker/care/read_ahead.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;
using care::PastReader;
using care::ReadAhead;

namespace {

/// A ledger with admissions of three children.
struct Past {
  Past() {
    for (int child = 1; child <= 3; ++child) {
      EventSpec spec;
      spec.child = child;
      const auto entry = hub.publish_one(EngineHarness::peer(1, "elwick-hospital"), item_of(spec));
      events.push_back(entry.sequence);
    }
  }
  PastReader reader() const { return {hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies}; }
  storage::SealedEntry sealed(Sequence sequence) const { return hub.ledger.read(sequence, 1, 1)->front(); }

  EngineHarness hub;
  std::vector<Sequence> events;
};

}  // namespace

TEST_CASE("what was read ahead holds every entry from where it begins, and the bodies of events alone") {
  const Past past;
  const auto reader = past.reader();
  const ReadAhead ahead(reader, past.events[1]);
  CHECK_FALSE(ahead.holds(past.events[0]));
  CHECK(ahead.behind() == past.hub.ledger.head() + 1);
  for (auto at = past.events[1]; at < ahead.behind(); ++at) {
    REQUIRE(ahead.holds(at));
    CHECK(ahead.at(at).header.sequence == at);
    CHECK(ahead.at(at).body.empty() == (ahead.at(at).header.kind != storage::EntryKind::event));
  }
  const auto& second = ahead.at(past.events[1]);
  CHECK(second.body == *past.hub.sealer->open(past.sealed(past.events[1])));
}

TEST_CASE("behind the ledger's end nothing is read ahead, and what is erased has no body") {
  Past past;
  const auto reader = past.reader();
  const ReadAhead none(reader, past.hub.ledger.head() + 1);
  CHECK_FALSE(none.holds(past.hub.ledger.head() + 1));
  past.hub.sealer->withdraw({past.sealed(past.events[2]).header.key_id});
  const ReadAhead ahead(reader, past.events[0]);
  CHECK_FALSE(ahead.at(past.events[1]).body.empty());
  CHECK(ahead.at(past.events[2]).body.empty());
}
