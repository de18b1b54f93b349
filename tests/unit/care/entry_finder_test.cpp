#include "broker/care/entry_finder.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;
using storage::EntryKind;

TEST_CASE("the entry that says so is found by its time, from whatever event, and no other") {
  Erasing past;
  for (int each = 0; each < 30; ++each) {
    past.of_one.push_back(past.publish(1));
    past.of_two.push_back(past.publish(2));
    if (each % 7 == 0) past.hub.pass_ms(10);
  }
  const care::PastReader reader(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                                past.hub.rules.agencies);
  care::EntryFinder finder(reader);
  std::size_t found = 0;
  for (const auto& [entry, body] : past.hub.entries(EntryKind::offered)) {
    const auto& offered = *body.entry.AsOffered();
    const auto at = past.hub.ledger.read(entry, 1, 1)->front().header.appended_at;
    for (const auto& run : offered.runs) {
      for (auto event = run->range->first(); event <= run->range->last(); ++event) {
        CHECK(*finder.find(EntryKind::offered, offered.subscription, event, at) == entry);
        CHECK(*finder.find(EntryKind::offered, "another", event, at) == 0);
        CHECK(*finder.find(EntryKind::acked, offered.subscription, event, {at.us + 1}) == 0);
        ++found;
      }
    }
  }
  CHECK(found >= past.of_one.size());
  CHECK(finder.take_looked() > 0);
  CHECK(finder.take_looked() == 0);
  const auto acked = past.hub.entries(EntryKind::acked).front();
  const auto at = past.hub.ledger.read(acked.first, 1, 1)->front().header.appended_at;
  CHECK(*finder.find(EntryKind::acked, Erasing::kDesk, past.of_one[0], at) == acked.first);
  const auto dead = past.hub.entries(EntryKind::dead_letter).front();
  const auto dead_at = past.hub.ledger.read(dead.first, 1, 1)->front().header.appended_at;
  CHECK(*finder.find(EntryKind::dead_letter, Erasing::kDesk, dead.second.entry.AsDeadLetter()->sequence,
                     dead_at) == dead.first);
}
