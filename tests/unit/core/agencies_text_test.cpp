#include "broker/core/agencies_text.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;

TEST_CASE("agencies are read back as they were written down") {
  auto agencies = fakes::EngineHarness::county().agencies;
  agencies.push_back({"odd", "Odd", "school", {"9\"0\\1", "two\nlines"}, {}, {"caf\xc3\xa9"}});
  const auto read = core::agencies_from(core::agencies_text(agencies));
  REQUIRE(read);
  REQUIRE(read->size() == agencies.size());
  for (const auto& agency : agencies) {
    const auto found = std::ranges::find(*read, agency.id, &core::Agency::id);
    REQUIRE(found != read->end());
    CHECK(found->kind == agency.kind);
    const auto same = [](auto left, auto right) { return std::ranges::is_permutation(left, right); };
    CHECK(same(found->codes, agency.codes));
    CHECK(same(found->roles, agency.roles));
    CHECK(same(found->may_publish, agency.may_publish));
  }
}

TEST_CASE(
    "the text of agencies is the same in whatever order they are written, and another where one has "
    "changed") {
  auto agencies = fakes::EngineHarness::county().agencies;
  const auto text = core::agencies_text(agencies);
  std::ranges::reverse(agencies);
  std::ranges::reverse(agencies[1].may_publish);
  CHECK(core::agencies_text(agencies) == text);
  agencies[2].codes.push_back("900404");
  CHECK(core::agencies_text(agencies) != text);
}

TEST_CASE("what is no text of agencies is not taken for one") {
  CHECK(core::agencies_from("[[agency]\n").error().kind == ErrorKind::corrupt);
  CHECK(core::agencies_from("[[agency]]\nkind = \"school\"\n").error().kind == ErrorKind::corrupt);
}
