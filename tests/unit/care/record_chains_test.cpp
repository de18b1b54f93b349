#include "broker/care/record_chains.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Chained : Erasing {
  care::PastReader past{hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies};
  std::string remark;

  PersonKey key_of(int child) { return *past.person_of(name(child)); }
  std::vector<Sequence> walk(const std::vector<PersonKey>& records, Sequence after = 0) {
    care::RecordChains chains(past);
    REQUIRE(chains.begin(records, after));
    std::vector<Sequence> told;
    while (!chains.over()) {
      const auto next = chains.next();
      const auto event = chains.step();
      REQUIRE(event);
      if (*event) {
        CHECK((*event)->sequence == next);
        told.push_back(next);
      }
    }
    remark = chains.take_remark();
    return told;
  }
};

}  // namespace

TEST_CASE("the events of several records are told newest first, and from any of them on") {
  Chained past;
  REQUIRE(past.hub.state->flush());
  auto both = past.of_one;
  both.insert(both.end(), past.of_two.begin(), past.of_two.end());
  std::ranges::sort(both, std::greater());
  const std::vector records{past.key_of(1), past.key_of(2)};
  CHECK(past.walk(records) == both);
  for (std::size_t at = 0; at < both.size(); ++at)
    CHECK(past.walk(records, both[at]) ==
          std::vector(both.begin() + static_cast<std::ptrdiff_t>(at), both.end()));
  CHECK(past.walk({records[0]}, past.of_one[1]) == std::vector{past.of_one[1], past.of_one[0]});
  CHECK(past.walk({}).empty());
  CHECK(past.remark.empty());
}

TEST_CASE("a record that ends in what was erased says so, and the other goes on") {
  Chained past;
  REQUIRE(past.hub.state->flush());
  const std::vector records{past.key_of(1), past.key_of(2)};
  const auto last = past.hub.ledger.read(past.of_two.back(), 1, 1)->front();
  REQUIRE(past.hub.vault.destroy({last.header.key_id}));
  auto one = past.of_one;
  std::ranges::reverse(one);
  CHECK(past.walk(records) == one);
  CHECK(past.remark == care::erased_before(past.of_two.back()));
}

TEST_CASE("a page goes on though the record that comes next is linked with this one no more") {
  Chained past;
  REQUIRE(past.hub.state->flush());
  for (const auto next : past.of_two) {
    std::vector<Sequence> left;
    for (const auto sequence : past.of_one) {
      if (sequence < next) left.push_back(sequence);
    }
    std::ranges::sort(left, std::greater());
    CHECK(past.walk({past.key_of(1)}, next) == left);
    CHECK(past.remark.empty());
  }
}
