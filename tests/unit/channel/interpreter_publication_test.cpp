#include "adapters/channel/interpreter_publication.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("no two sets of identity values look alike") {
  CHECK(identity_of({"ab", "c"}) != identity_of({"a", "bc"}));
  CHECK(identity_of({"a", ""}) != identity_of({"a"}));
  CHECK(identity_of({"a", "b"}) == identity_of({"a", "b"}));
}

TEST_CASE("an identity is bounded") {
  const std::string longer(10'000, 'x');
  const std::string other = longer + "y";
  CHECK(identity_of({longer}).size() <= limits::kIdentityBytesMax);
  CHECK(identity_of({longer}) != identity_of({other}));
}

TEST_CASE("a problem names the first fault and counts the others") {
  const auto publication = make_publication(
      {}, {}, {{"missing_field", "PID-3", "PID-3: it is missing"}, {"bad_value", "PID-7", "PID-7: no date"}},
      {}, "x");
  REQUIRE(publication.problem);
  CHECK(publication.problem->place == "PID-3");
  CHECK(publication.problem->text == "PID-3: it is missing (and 1 more faults)");
  CHECK(publication.event.empty());
}

TEST_CASE("SHA-256 is SHA-256") {
  CHECK(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
