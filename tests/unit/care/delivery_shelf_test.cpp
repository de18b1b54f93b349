#include "broker/care/delivery_shelf.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::care;

namespace {

constexpr PersonKey kAnna{{1}};
constexpr PersonKey kBen{{2}};

DeliveryShelf::Cell cell(Sequence sequence, const PersonKey& person) {
  DeliveryShelf::Cell cell;
  cell.delivery.sequence = sequence;
  cell.delivery.person = person;
  return cell;
}

void settle(DeliveryShelf& shelf, Sequence sequence) {
  auto* found = shelf.find(sequence);
  REQUIRE(found != nullptr);
  shelf.change(*found, found->delivery, ShownState::acked, {1});
}

Sequence next(const DeliveryShelf& shelf, Sequence after) {
  const auto* found = shelf.next(after);
  return found == nullptr ? 0 : found->delivery.sequence;
}

Sequence next_of(const DeliveryShelf& shelf, const PersonKey& person, Sequence after) {
  const auto* found = shelf.next_of(person, after);
  return found == nullptr ? 0 : found->delivery.sequence;
}

}  // namespace

TEST_CASE("what came behind a later one is found in its place") {
  DeliveryShelf shelf;
  for (const Sequence sequence : {5, 9, 7, 2, 11}) shelf.add(cell(sequence, sequence == 7 ? kBen : kAnna));
  std::vector<Sequence> in_order;
  for (Sequence at = next(shelf, 0); at != 0; at = next(shelf, at)) in_order.push_back(at);
  CHECK(in_order == std::vector<Sequence>{2, 5, 7, 9, 11});
  CHECK(shelf.find(7)->delivery.person == kBen);
  CHECK(shelf.find(8) == nullptr);
}

TEST_CASE("what is settled is passed over until it waits again") {
  DeliveryShelf shelf;
  for (const Sequence sequence : {1, 2, 3, 4}) shelf.add(cell(sequence, kAnna));
  settle(shelf, 1);
  settle(shelf, 2);
  CHECK(next(shelf, 0) == 3);
  CHECK(shelf.find(1)->state == ShownState::acked);
  auto* again = shelf.find(1);
  shelf.change(*again, again->delivery, ShownState::offered, {});
  CHECK(next(shelf, 0) == 1);
  CHECK(next(shelf, 1) == 3);
  for (const Sequence sequence : {1, 3, 4}) settle(shelf, sequence);
  CHECK(next(shelf, 0) == 0);
  shelf.add(cell(5, kAnna));
  CHECK(next(shelf, 0) == 5);
}

TEST_CASE("one child's are found, those that came after the first question too") {
  DeliveryShelf shelf;
  shelf.add(cell(3, kAnna));
  shelf.add(cell(6, kBen));
  CHECK(next_of(shelf, kAnna, 0) == 3);
  CHECK(next_of(shelf, kAnna, 3) == 0);
  shelf.add(cell(8, kAnna));
  shelf.add(cell(5, kAnna));
  CHECK(next_of(shelf, kAnna, 3) == 5);
  settle(shelf, 5);
  CHECK(next_of(shelf, kAnna, 3) == 8);
  CHECK(next_of(shelf, kBen, 0) == 6);
  CHECK(next_of(shelf, PersonKey{{9}}, 0) == 0);
}
