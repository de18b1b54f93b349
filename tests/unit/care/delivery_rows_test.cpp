#include "broker/care/delivery_rows.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <map>

#include "broker/care/row_keys.hpp"
#include "broker/care/rows.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

constexpr const char* kDesk = "desk";
constexpr const char* kWard = "ward";

core::Pending delivery(Sequence sequence, std::uint8_t child, std::uint32_t attempt = 1) {
  core::Pending pending;
  pending.sequence = sequence;
  pending.person = PersonKey{{child}};
  pending.attempt = attempt;
  return pending;
}

/// What one subscription has pending, by sequence, and what it was ever offered.
struct Model {
  std::map<Sequence, core::Pending> pending;
  std::map<Sequence, ShownState> shown;
};

void require_same(const std::vector<core::Pending>& found, std::vector<core::Pending> expected,
                  std::size_t rows_max) {
  if (expected.size() > rows_max) expected.resize(rows_max);
  REQUIRE(found.size() == expected.size());
  for (std::size_t at = 0; at < found.size(); ++at) {
    REQUIRE(found[at].sequence == expected[at].sequence);
    REQUIRE(found[at].attempt == expected[at].attempt);
    REQUIRE(found[at].person == expected[at].person);
  }
}

void require_same(const Rows& rows, const Model& model, Sequence after, std::size_t rows_max,
                  std::uint8_t child) {
  std::vector<core::Pending> all;
  std::vector<core::Pending> of_child;
  for (auto at = model.pending.upper_bound(after); at != model.pending.end(); ++at) {
    all.push_back(at->second);
    if (at->second.person == PersonKey{{child}}) of_child.push_back(at->second);
  }
  require_same(*rows.deliveries().pending_after(kDesk, after, rows_max), all, rows_max);
  require_same(*rows.deliveries().pending_of(kDesk, PersonKey{{child}}, after, rows_max), of_child, rows_max);
}

std::size_t count(const storage::StateStore& store, const std::string& prefix) {
  return store.scan(prefix, "", 10'000)->size();
}

/// The store has exactly the rows that the model had when it was sealed.
void require_stored(const storage::StateStore& store, const Model& sealed) {
  require_same(
      *stored_pending(StoredRows(store), kDesk, 0, 10'000),
      [&] {
        std::vector<core::Pending> all;
        for (const auto& [sequence, pending] : sealed.pending) all.push_back(pending);
        return all;
      }(),
      10'000);
  REQUIRE(count(store, "g/") == sealed.pending.size());
  REQUIRE(count(store, "o/") == sealed.shown.size());
  for (const auto& [sequence, state] : sealed.shown) {
    const auto row = store.get(row_keys::shown(sequence, kDesk));
    REQUIRE(row->has_value());
    REQUIRE(decode_shown(**row)->state == state);
  }
}

}  // namespace

TEST_CASE("deliveries laid over the store read as if they were in it, whatever comes when") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    fakes::SeededRandom random(seed);
    storage::MemoryStateStore store;
    Rows rows(store);
    Model model;
    Model sealed;
    Sequence head = 0;
    for (int step = 0; step < 500; ++step) {
      // Now and then one that came long ago is offered again.
      const bool again = head > 0 && random.below(4) == 0;
      const Sequence sequence = again ? 1 + random.below(head) : head + 1 + random.below(3);
      switch (random.below(8)) {
        case 0:
          if (!rows.leaving()) {
            rows.seal(std::max<Sequence>(head, 1));
            sealed = model;
          } else {
            REQUIRE(rows.write_leaving());
            if (random.below(2) == 0) require_same(rows, model, 0, 1'000, 1);
            rows.left();
            require_stored(store, sealed);
          }
          break;
        case 1:
        case 2:
        case 3: {
          if (model.pending.empty()) break;
          auto chosen = model.pending.begin();
          std::advance(chosen, random.below(model.pending.size()));
          const auto state = static_cast<ShownState>(2 + random.below(3));
          const auto there = rows.deliveries().pending(kDesk, chosen->first);
          REQUIRE((*there)->attempt == chosen->second.attempt);
          rows.deliveries().settle(kDesk, **there, state, {7});
          REQUIRE_FALSE(rows.deliveries().pending(kDesk, chosen->first)->has_value());
          model.shown[chosen->first] = state;
          model.pending.erase(chosen);
          break;
        }
        default: {
          const auto known = model.pending.find(sequence);
          // A child is the same at every attempt.
          const auto child = static_cast<std::uint8_t>(1 + sequence % 3);
          const auto next =
              delivery(sequence, child, known == model.pending.end() ? 1 : known->second.attempt + 1);
          rows.deliveries().put(kDesk, next);
          model.pending[sequence] = next;
          model.shown[sequence] = ShownState::offered;
          head = std::max(head, sequence);
        }
      }
      require_same(rows, model, random.below(head + 2), 1 + random.below(20),
                   static_cast<std::uint8_t>(random.below(5)));
    }
  }
  std::cout << "seeds 1 to 40\n";
}

TEST_CASE("a delivery that is acked while its layer gathers leaves only that it was shown") {
  storage::MemoryStateStore store;
  Rows rows(store);
  rows.deliveries().put(kDesk, delivery(5, 1));
  rows.deliveries().settle(kDesk, delivery(5, 1), ShownState::acked, {9});
  CHECK(rows.gathered() == 1);
  CHECK(rows.deliveries().offered_ahead(kDesk, 5));
  CHECK_FALSE(rows.deliveries().offered_ahead(kWard, 5));
  rows.seal(6);
  REQUIRE(rows.write_leaving());
  CHECK(rows.deliveries().offered_ahead(kDesk, 5));
  rows.left();
  CHECK(store.scan("", "", 100)->size() == 1);
  const auto shown = decode_shown(**store.get(row_keys::shown(5, kDesk)));
  CHECK(shown->state == ShownState::acked);
  CHECK(shown->settled_at == Timestamp{9});
}

TEST_CASE("what one subscription waits for is nobody else's") {
  storage::MemoryStateStore store;
  Rows rows(store);
  rows.deliveries().put(kDesk, delivery(5, 1));
  rows.deliveries().put(kWard, delivery(5, 1));
  rows.deliveries().settle(kWard, delivery(5, 1), ShownState::acked, {9});
  CHECK(rows.deliveries().pending_after(kDesk, 0, 10)->size() == 1);
  CHECK(rows.deliveries().pending_after(kWard, 0, 10)->empty());
  CHECK(rows.deliveries().pending_of(kWard, PersonKey{{1}}, 0, 10)->empty());
}
