#include "broker/care/deliveries_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/packed_table.hpp"

using namespace carehub;
using namespace carehub::care;
using fakes::PackedTable;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr PersonKey kBen{{2}};
constexpr const char* kDesk = "desk";

/// Entries of one subscription as they are folded.
struct Desk {
  storage::MemoryStateStore store;
  Rows rows{store};
  FoldEntry entry{.sequence = 1, .appended_at = {10}, .kind = {}, .key_id = {}, .body = {}};

  void offer(Sequence first, Sequence last, const PersonKey& person, std::uint32_t attempt = 1,
             bool late = false, const char* subscription = kDesk) {
    ledger::OfferedT offered;
    offered.subscription = subscription;
    offered.policy_version = 3;
    offered.late = late;
    auto run = std::make_unique<ledger::OfferedRunT>();
    run->range = std::make_unique<ledger::Range>(first, last);
    run->attempt = attempt;
    run->person = std::make_unique<ledger::Key>(to_ledger(person));
    offered.runs.push_back(std::move(run));
    REQUIRE(fold_offered(entry, *PackedTable(offered), rows));
  }
  void ack(Sequence first, Sequence last) {
    ledger::AckedT acked;
    acked.subscription = kDesk;
    acked.ranges = {ledger::Range(first, last)};
    REQUIRE(fold_acked(entry, *PackedTable(acked), rows));
  }
  void nak(Sequence sequence, bool counted) {
    ledger::NackedT nacked;
    nacked.subscription = kDesk;
    nacked.items.push_back(std::make_unique<ledger::NackedItemT>());
    nacked.items[0]->sequence = sequence;
    nacked.items[0]->counted = counted;
    REQUIRE(fold_nacked(*PackedTable(nacked), rows));
  }
  void give_up(Sequence sequence) {
    ledger::DeadLetterT letter;
    letter.subscription = kDesk;
    letter.sequence = sequence;
    letter.attempts = 8;
    letter.code = "500";
    REQUIRE(fold_dead_letter(entry, *PackedTable(letter), rows));
  }
  void discard(Sequence sequence) {
    ledger::OperatorActionT action;
    action.action = core::kDiscardAction;
    action.subscription = kDesk;
    action.sequence = sequence;
    REQUIRE(fold_operator_action(*PackedTable(action), rows));
  }
  std::vector<core::Pending> pending(Sequence after = 0, std::size_t rows_max = 100) const {
    return *rows.deliveries().pending_after(kDesk, after, rows_max);
  }
  BacklogRow backlog() const { return *backlog_row(rows, kDesk); }
  /// All that was folded goes to the store.
  void write() {
    rows.seal(100);
    REQUIRE(rows.write_leaving());
    rows.left();
  }
  ShownState shown(Sequence sequence) {
    write();
    return (*shown_row(StoredRows(store), kDesk, sequence))->state;
  }
};

}  // namespace

TEST_CASE("a run that is offered is pending one by one, in order, to be read on from anywhere") {
  Desk desk;
  desk.offer(5, 7, kAnna);
  desk.offer(8, 8, kBen);
  CHECK(desk.pending().size() == 4);
  CHECK(desk.pending(5, 2).front().sequence == 6);
  CHECK(desk.pending(5, 2).size() == 2);
  CHECK(desk.pending(8).empty());
  CHECK(desk.backlog().pending == 4);
  const auto of_anna = *desk.rows.deliveries().pending_of(kDesk, kAnna, 5, 10);
  REQUIRE(of_anna.size() == 2);
  CHECK(of_anna[0].policy_version == 3);
}

TEST_CASE("an ack ends what is pending, once, and touches nothing else") {
  Desk desk;
  desk.offer(5, 7, kAnna);
  desk.ack(1, 6);
  desk.ack(6, 6);
  CHECK(desk.pending().size() == 1);
  CHECK(desk.backlog().pending == 1);
  CHECK(desk.shown(6) == ShownState::acked);
  CHECK(desk.shown(7) == ShownState::offered);
  CHECK(desk.rows.deliveries().pending_of(kDesk, kAnna, 0, 10)->size() == 1);
}

TEST_CASE("only a failure that counts is counted, and the next attempt needs its own Offered") {
  Desk desk;
  desk.offer(5, 5, kAnna);
  desk.nak(5, false);
  desk.nak(5, true);
  CHECK(desk.pending()[0].counted == 1);
  CHECK(desk.pending()[0].nacked);
  desk.offer(5, 5, kAnna, 2);
  CHECK(desk.pending()[0].attempt == 2);
  CHECK(desk.pending()[0].counted == 1);
  CHECK_FALSE(desk.pending()[0].nacked);
  CHECK(desk.backlog().pending == 1);
}

TEST_CASE("answers and attempts about what is over change nothing") {
  Desk desk;
  desk.offer(5, 5, kAnna);
  desk.ack(5, 5);
  desk.nak(5, true);
  desk.offer(5, 5, kAnna, 2);
  desk.give_up(5);
  desk.discard(5);
  CHECK(desk.pending().empty());
  CHECK(desk.backlog().pending == 0);
  CHECK(desk.backlog().dead == 0);
  CHECK(desk.shown(5) == ShownState::acked);
}

TEST_CASE("a dead letter marks the child's next delivery, not another child's") {
  Desk desk;
  desk.offer(5, 5, kAnna);
  desk.offer(6, 6, kBen);
  desk.offer(7, 8, kAnna);
  desk.give_up(5);
  CHECK(desk.shown(5) == ShownState::dead);
  const auto pending = desk.pending();
  REQUIRE(pending.size() == 3);
  CHECK_FALSE(pending[0].after_gap);
  CHECK(pending[1].after_gap);
  CHECK_FALSE(pending[2].after_gap);
  CHECK(desk.backlog().gaps == 0);
}

TEST_CASE("where nothing waits yet, the child's next to come is marked, and only that") {
  Desk desk;
  desk.offer(5, 6, kAnna);
  desk.give_up(5);
  desk.give_up(6);
  CHECK(desk.backlog().gaps == 1);
  desk.offer(7, 7, kBen);
  CHECK_FALSE(desk.pending()[0].after_gap);
  desk.offer(8, 9, kAnna);
  CHECK(desk.pending()[1].after_gap);
  CHECK_FALSE(desk.pending()[2].after_gap);
  CHECK(desk.backlog().gaps == 0);
}

TEST_CASE("a dead letter says why and after how many attempts, until it is sent again or discarded") {
  Desk desk;
  desk.offer(5, 6, kAnna);
  desk.give_up(5);
  desk.give_up(6);
  const auto dead = **dead_row(desk.rows, kDesk, 5);
  CHECK(dead.attempts == 8);
  CHECK(dead.code == "500");
  CHECK(dead.delivery.person == kAnna);
  CHECK(desk.backlog().dead == 2);
  desk.offer(5, 5, kAnna, 1, true);
  CHECK_FALSE(*dead_row(desk.rows, kDesk, 5));
  CHECK(desk.pending()[0].late);
  desk.discard(6);
  CHECK_FALSE(*dead_row(desk.rows, kDesk, 6));
  CHECK(desk.backlog().dead == 0);
}

TEST_CASE("what goes late is not the child's next after the gap") {
  Desk desk;
  desk.offer(5, 5, kAnna);
  desk.give_up(5);
  desk.offer(5, 5, kAnna, 1, true);
  CHECK_FALSE(desk.pending()[0].after_gap);
  CHECK(desk.backlog().gaps == 1);
}

TEST_CASE("what a watch was shown is kept, and nothing waits for it") {
  Desk desk;
  desk.offer(5, 5, kAnna, 1, false, "~eyes@2");
  desk.write();
  CHECK(shown_row(StoredRows(desk.store), "~eyes@2", 5)->has_value());
  CHECK(desk.rows.deliveries().pending_after("~eyes@2", 0, 10)->empty());
  CHECK(backlog_row(desk.rows, "~eyes@2")->pending == 0);
}

TEST_CASE("entries without a subscription fold into nothing") {
  Desk desk;
  REQUIRE(fold_offered(desk.entry, *PackedTable(ledger::OfferedT()), desk.rows));
  REQUIRE(fold_acked(desk.entry, *PackedTable(ledger::AckedT()), desk.rows));
  REQUIRE(fold_nacked(*PackedTable(ledger::NackedT()), desk.rows));
  REQUIRE(fold_dead_letter(desk.entry, *PackedTable(ledger::DeadLetterT()), desk.rows));
  REQUIRE(fold_operator_action(*PackedTable(ledger::OperatorActionT()), desk.rows));
  CHECK(desk.pending().empty());
}

TEST_CASE("a delivery's row that is cut short, or missing behind its gate, is corrupt") {
  Desk desk;
  desk.offer(5, 5, kAnna);
  desk.write();
  REQUIRE(desk.store.apply({{row_keys::pending(kDesk, 5), std::nullopt}}, 100));
  CHECK(desk.rows.deliveries().pending_of(kDesk, kAnna, 0, 10).error().kind == ErrorKind::corrupt);
  REQUIRE(desk.store.apply({{row_keys::pending(kDesk, 5), "short"}}, 100));
  CHECK(desk.rows.deliveries().pending_after(kDesk, 0, 10).error().kind == ErrorKind::corrupt);
  CHECK(desk.rows.deliveries().pending(kDesk, 5).error().kind == ErrorKind::corrupt);
  desk.rows.put(row_keys::dead(kDesk, 5), "short");
  CHECK(dead_row(desk.rows, kDesk, 5).error().kind == ErrorKind::corrupt);
  desk.rows.put(row_keys::backlog(kDesk), "short");
  CHECK(backlog_row(desk.rows, kDesk).error().kind == ErrorKind::corrupt);
}
