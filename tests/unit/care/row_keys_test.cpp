#include "broker/care/row_keys.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace carehub;
using namespace carehub::care;

TEST_CASE("no subscription's rows are another's, however alike their names") {
  CHECK_FALSE(row_keys::pending("desk-2", 1).starts_with(row_keys::pending_of("desk")));
  CHECK_FALSE(row_keys::dead("desk-2", 1).starts_with(row_keys::dead_of("desk")));
  CHECK_FALSE(row_keys::gate("deskA", {}, 1).starts_with(row_keys::gate_of("desk", PersonKey{{'A'}})));
}

TEST_CASE("key order is the order of sequences, across every byte") {
  for (unsigned bits = 0; bits < 64; bits += 8) {
    const auto sequence = Sequence{1} << bits;
    CHECK(row_keys::pending("desk", sequence - 1) < row_keys::pending("desk", sequence));
    CHECK(row_keys::gate("desk", {}, sequence) < row_keys::gate("desk", {}, sequence + 1));
    CHECK(row_keys::policy(sequence - 1) < row_keys::policy(sequence));
  }
}

TEST_CASE("what a key was made of is read back from it") {
  CHECK(row_keys::last_sequence(row_keys::pending("desk", 77)) == 77);
  CHECK(row_keys::last_sequence(row_keys::gate("desk", PersonKey{{1}}, 300)) == 300);
  CHECK(row_keys::shown_name(row_keys::shown(9, "desk")) == "desk");
  CHECK(row_keys::shown(9, "desk").starts_with(row_keys::shown_of(9)));
}

TEST_CASE("a key that is cut short reads as nothing") {
  CHECK(row_keys::last_sequence("q/x") == 0);
  CHECK(row_keys::shown_name("o/").empty());
}

TEST_CASE("rows of different kinds never share a key") {
  const std::set<std::string> keys = {
      row_keys::person({}),     row_keys::link({}),        row_keys::fingerprint({}),  row_keys::identity({}),
      row_keys::pending("", 0), row_keys::gate("", {}, 0), row_keys::dead("", 0),      row_keys::gap("", {}),
      row_keys::shown(0, ""),   row_keys::backlog(""),     row_keys::subscription(""), row_keys::policy(0),
      row_keys::day_key("", 0), row_keys::newest()};
  CHECK(keys.size() == 14);
}

TEST_CASE("a day's key is its purpose's and its day's alone") {
  CHECK(row_keys::day_key("hub", 1) != row_keys::day_key("hub", 2));
  CHECK(row_keys::day_key("refusal/a/b", 1) != row_keys::day_key("refusal/a/c", 1));
}
