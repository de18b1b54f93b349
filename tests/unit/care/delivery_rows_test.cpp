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
  std::size_t shown = 0;
  const auto rows = store.scan("o/", "", 10'000);
  for (const auto& row : *rows) shown += decode_shown(row.key, row.value)->size();
  REQUIRE(shown == sealed.shown.size());
  for (const auto& [sequence, state] : sealed.shown) {
    const auto row = shown_row(StoredRows(store), kDesk, sequence);
    REQUIRE(row->has_value());
    REQUIRE((*row)->state == state);
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
  const auto shown = **shown_row(StoredRows(store), kDesk, 5);
  CHECK(shown.state == ShownState::acked);
  CHECK(shown.settled_at == Timestamp{9});
}

TEST_CASE("events that follow one another share a row, written when they leave and when they change") {
  storage::MemoryStateStore store;
  Rows rows(store);
  const auto leave = [&](Sequence head) {
    rows.seal(head);
    REQUIRE(rows.write_leaving());
    rows.left();
  };
  const auto offer = [&](const char* to, Sequence sequence, std::int64_t at_us) {
    auto offered = delivery(sequence, 1);
    offered.offered_at = {at_us};
    offered.policy_version = 1ULL << 40U;
    rows.deliveries().put(to, offered);
    return offered;
  };
  offer(kDesk, 63, 1'770'000'000'000'000);
  const auto first = offer(kDesk, 64, 1'770'000'000'000'100);
  rows.deliveries().show("~eyes@2", first);
  leave(64);
  // The clock went back, and the older one is answered after the younger came.
  offer(kDesk, 127, 1'769'999'999'000'000);
  rows.deliveries().settle(kDesk, first, ShownState::acked, {1'770'000'000'000'050});
  leave(127);
  const auto all = *store.scan("o/", "", 100);
  REQUIRE(all.size() == 3);
  CHECK(all[1].key == row_keys::shown(127, kDesk));
  CHECK(decode_shown(all[0].key, all[0].value)->size() == 1);
  const auto two = *decode_shown(all[1].key, all[1].value);
  REQUIRE(two.size() == 2);
  CHECK(two.at(64).state == ShownState::acked);
  CHECK(two.at(64).offered_at == Timestamp{1'770'000'000'000'100});
  CHECK(two.at(64).settled_at == Timestamp{1'770'000'000'000'050});
  CHECK(two.at(64).policy_version == 1ULL << 40U);
  CHECK(two.at(127).state == ShownState::offered);
  CHECK(two.at(127).offered_at == Timestamp{1'769'999'999'000'000});
  const auto told = *shown_to(store, 64);
  REQUIRE(told.size() == 2);
  CHECK(told.at("~eyes@2").state == ShownState::offered);
  CHECK(shown_to(store, 65)->empty());
  CHECK_FALSE(*shown_row(StoredRows(store), kDesk, 65));
}

TEST_CASE("a row of what was shown that is cut short, or in disorder, is corrupt") {
  const auto key = row_keys::shown(70, kDesk);
  const auto whole = encode(
      ShownRows{{70, {ShownState::acked, 1, 300, {5}, {6}}}, {71, {ShownState::dead, 2, 1, {5}, {9}}}});
  REQUIRE(decode_shown(key, whole)->size() == 2);
  const auto one = encode(ShownRows{{70, {ShownState::acked, 1, 300, {5}, {6}}}});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto cut = decode_shown(key, std::string_view(whole).substr(0, size));
    if (size == one.size()) {
      CHECK(cut->size() == 1);
    } else {
      CHECK(cut.error().kind == ErrorKind::corrupt);
    }
  }
  CHECK(decode_shown(key, one + one).error().kind == ErrorKind::corrupt);
  CHECK(decode_shown(key, "short").error().text.find("carehub rebuild") != std::string::npos);
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
