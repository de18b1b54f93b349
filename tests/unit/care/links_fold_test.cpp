#include "broker/care/links_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/core/identity.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

struct Folded : Erasing {
  using Sequences = std::vector<Sequence>;
  Sequences naming(int child, std::size_t rows_max = 8) {
    REQUIRE(hub.state->flush());
    return *care::links_naming(care::StoredRows(hub.store), hash(child), rows_max);
  }
  KeyedHash hash(int child) const { return core::identifier_hash(hub.vault.index_key(), name(child)); }
};

}  // namespace

TEST_CASE("a link or merge is found by each number that it names, and an ordinary event by none") {
  Folded past;
  CHECK(past.naming(1).empty());
  const auto merge = past.link(1, 2);
  const auto link = past.link(3, 2, false, true);
  CHECK(past.naming(1) == Folded::Sequences{merge});
  CHECK(past.naming(2) == Folded::Sequences{merge, link});
  CHECK(past.naming(3) == Folded::Sequences{link});
  CHECK(past.naming(4).empty());
  CHECK(past.naming(2, 1) == Folded::Sequences{merge});
  const care::StoredRows rows(past.hub.store);
  CHECK(care::names_in_links(rows, 16)->size() > 2);
  CHECK(care::names_in_links(rows, 2)->size() == 2);
  CHECK(*care::links_kept(care::StoredRows(past.hub.store)));
}

TEST_CASE("a record's numbers are known by their hashes, and are gone with it") {
  Folded past;
  REQUIRE(past.hub.state->flush());
  const care::StoredRows rows(past.hub.store);
  const auto person = past.hub.state->linked({past.hash(1)})->front();
  REQUIRE(person);
  CHECK(*care::names_of(rows, *person, 8) == std::vector{past.hash(1)});
  const auto merge = past.link(1, 2);
  CHECK(past.naming(2) == Folded::Sequences{merge});
  past.link(2, 1, true);
  past.erase(Folded::name(1));
  REQUIRE(past.hub.state->flush());
  CHECK(care::names_of(rows, *person, 8)->empty());
  CHECK(past.naming(2).size() == 1);  // under the other
  past.check_rebuilt();
}
