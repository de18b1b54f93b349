#include "broker/core/delivery_records.hpp"

#include <catch2/catch.hpp>

#include "broker/core/policy.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::core;
using fakes::entry_of;
using storage::EntryKind;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr PersonKey kBen{{2}};

/// Keeps what is appended.
class Pages final : public Journal {
 public:
  Sequence append(NewEntry entry, Timestamp) override {
    flatbuffers::Verifier verifier(entry.body.data(), entry.body.size());
    REQUIRE(ledger::VerifyBodyBuffer(verifier));
    kinds.push_back(entry.kind);
    bodies.emplace_back();
    ledger::GetBody(entry.body.data())->UnPackTo(&bodies.back());
    return bodies.size();
  }
  std::vector<EntryKind> kinds;
  std::vector<ledger::BodyT> bodies;
};

Pending of(const PersonKey& person, Sequence sequence) {
  Pending pending;
  pending.person = person;
  pending.sequence = sequence;
  pending.policy_version = 3;
  return pending;
}

Pages written(DeliveryRecords& records) {
  Pages pages;
  records.write("desk", "duty", KeyId{{9}}, pages, {77});
  return pages;
}

std::vector<std::pair<Sequence, Sequence>> plain(const std::vector<ledger::Range>& ranges) {
  std::vector<std::pair<Sequence, Sequence>> all;
  for (const auto& range : ranges) all.emplace_back(range.first(), range.last());
  return all;
}
using Ranges = std::vector<std::pair<Sequence, Sequence>>;

}  // namespace

TEST_CASE("answers are written before new offers, so that a fold sees a child's last before its next") {
  DeliveryRecords records;
  CHECK(records.empty());
  records.withheld(9, 3, kNoRule);
  records.offered(of(kAnna, 8), 1, "s.10");
  records.dead_letter(of(kAnna, 7), "gone");
  records.nacked(of(kAnna, 7), ledger::NakKind::rejected, false, "gone");
  records.acked(6);
  CHECK_FALSE(records.empty());
  CHECK(written(records).kinds == std::vector{EntryKind::acked, EntryKind::nacked, EntryKind::dead_letter,
                                              EntryKind::offered, EntryKind::withheld});
  CHECK(records.empty());
  CHECK(written(records).kinds.empty());
}

TEST_CASE("acks in any order become as few ranges as there are runs") {
  DeliveryRecords records;
  for (const Sequence sequence : {9U, 2U, 3U, 8U, 1U, 5U}) records.acked(sequence);
  auto pages = written(records);
  REQUIRE(pages.bodies.size() == 1);
  const auto& acked = entry_of<ledger::AckedT>(pages.bodies[0]);
  CHECK(acked.subscription == "desk");
  CHECK(plain(acked.ranges) == Ranges{{1, 3}, {5, 5}, {8, 9}});
}

TEST_CASE("a run is of one child, one attempt, one type and one urgency") {
  DeliveryRecords records;
  auto urgent = of(kBen, 5);
  urgent.urgency = event::Urgency::urgent;
  auto typed = of(kBen, 6);
  typed.urgency = event::Urgency::urgent;
  typed.type = event::EventType::discharge;
  records.offered(of(kAnna, 1), 1, "s.10");
  records.offered(of(kAnna, 2), 1, "s.10");
  records.offered(of(kAnna, 3), 2, "s.10");
  records.offered(of(kBen, 4), 2, "s.10");
  records.offered(urgent, 2, "s.10");
  records.offered(typed, 2, "s.10");
  auto pages = written(records);
  REQUIRE(pages.bodies.size() == 1);
  const auto& offered = entry_of<ledger::OfferedT>(pages.bodies[0]);
  REQUIRE(offered.runs.size() == 5);
  CHECK(offered.runs[0]->range->first() == 1);
  CHECK(offered.runs[0]->range->last() == 2);
  CHECK(offered.runs[1]->attempt == 2);
  CHECK(offered.runs[4]->type == event::EventType::discharge);
}

TEST_CASE("what was offered under another policy, basis or lateness is an entry of its own") {
  DeliveryRecords records;
  auto newer = of(kAnna, 2);
  newer.policy_version = 4;
  auto late = of(kAnna, 4);
  late.late = true;
  records.offered(of(kAnna, 1), 1, "s.10");
  records.offered(newer, 1, "s.10");
  records.offered(of(kAnna, 3), 1, "s.11");
  records.offered(late, 1, "s.10");
  auto pages = written(records);
  CHECK(pages.kinds == std::vector(4, EntryKind::offered));
  int lates = 0;
  for (const auto& body : pages.bodies) {
    const auto& offered = entry_of<ledger::OfferedT>(body);
    CHECK(offered.role == "duty");
    CHECK(offered.runs.size() == 1);
    CHECK_FALSE(offered.legal_basis.empty());
    lates += offered.late ? 1 : 0;
  }
  CHECK(lates == 1);
}

TEST_CASE("a no is written with its kind, its code and whether it counts") {
  DeliveryRecords records;
  auto pending = of(kAnna, 7);
  pending.attempt = 5;
  records.nacked(pending, ledger::NakKind::failed, true, "500");
  records.nacked(pending, ledger::NakKind::unavailable, false, "");
  auto pages = written(records);
  const auto& items = entry_of<ledger::NackedT>(pages.bodies.at(0)).items;
  REQUIRE(items.size() == 2);
  CHECK(items[0]->sequence == 7);
  CHECK(items[0]->attempt == 5);
  CHECK(items[0]->counted);
  CHECK(items[0]->code == "500");
  CHECK(items[1]->kind == ledger::NakKind::unavailable);
  CHECK_FALSE(items[1]->counted);
}

TEST_CASE("decisions to withhold are gathered for each policy") {
  DeliveryRecords records;
  for (const Sequence sequence : {4U, 5U, 6U}) records.withheld(sequence, 3, kNoRule);
  records.withheld(7, 4, kNoRule);
  auto pages = written(records);
  REQUIRE(pages.bodies.size() == 2);
  const auto& first = entry_of<ledger::WithheldT>(pages.bodies[0]);
  CHECK(first.policy_version == 3);
  CHECK(plain(first.ranges) == Ranges{{4, 6}});
  CHECK_FALSE(first.rule.empty());
  CHECK(plain(entry_of<ledger::WithheldT>(pages.bodies[1]).ranges) == Ranges{{7, 7}});
}

TEST_CASE("a child's events are written in their order, whatever the legal basis of each") {
  DeliveryRecords records;
  records.offered(of(kAnna, 5), 1, "s.47");
  records.offered(of(kAnna, 6), 1, "s.10");
  records.offered(of(kBen, 7), 1, "s.47");
  records.offered(of(kAnna, 8), 1, "s.47");
  const auto pages = written(records);
  REQUIRE(pages.bodies.size() == 3);
  std::vector<std::vector<Sequence>> firsts;
  for (const auto& body : pages.bodies) {
    firsts.emplace_back();
    for (const auto& run : entry_of<ledger::OfferedT>(body).runs)
      firsts.back().push_back(run->range->first());
  }
  CHECK(firsts == std::vector<std::vector<Sequence>>{{5, 7}, {6}, {8}});
}
