#include "broker/core/asked_text.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using core::AskedText;

TEST_CASE("codes, names and channels are told, and what may be a child's number or name is not") {
  for (const auto* value : {"elwick-adt", "900101", "E10000099", "RZX01", "9994001", "836881000000105"})
    CHECK(core::may_be_told(value));
  const auto number = fakes::test_nhs_number(7);
  for (const auto& value : {number, "nhs:" + number, number.substr(0, 3) + "-" + number.substr(3),
                            "x" + number, std::string("Jo Ashdown"), std::string(), std::string(200, 'x')})
    CHECK_FALSE(core::may_be_told(value));
}

TEST_CASE("what a question asked is bounded, and says where it left off") {
  AskedText text;
  text.add("schools", std::vector<std::string>(500, "900101"));
  const auto list = text.take();
  CHECK(list.ends_with(" and more"));
  AskedText longer;
  for (int i = 0; i < 500; ++i) longer.add("channel", "elwick-adt");
  const auto whole = longer.take();
  CHECK(whole.size() <= core::kAskedBytesMax);
  CHECK(whole.ends_with(" ..."));
}

TEST_CASE("a question's span, journey and agency are read back from what was written down") {
  const auto span = core::asked_span("entries 20 to 300 types admission");
  REQUIRE(span.entries);
  CHECK(span.entries->first == 20);
  CHECK(span.entries->second == 300);
  CHECK(span.agency.empty());
  const auto older = core::asked_span(" the journey with hash 00ff agency elwick-hospital");
  CHECK_FALSE(older.entries);
  CHECK(older.journey == "00ff");
  CHECK(older.agency == "elwick-hospital");
  CHECK(core::asked_span("agency elwick-hospital subscription agency since 2026").agency ==
        "elwick-hospital");
  CHECK_FALSE(core::asked_span("entries many to some").entries);
  CHECK_FALSE(core::asked_span("").entries);
}

TEST_CASE("no word that was typed elsewhere is read as the agency, the journey or the span") {
  for (const auto* typed : {"subscription", "channel", "into"}) {
    for (const auto* word : {"agency", "entries", "to"}) {
      const auto rest = std::string(typed) + " " + word + " since 1970-01-01T00:00:00.000Z";
      CHECK(core::asked_span("the journey with hash 00ff " + rest).journey == "00ff");
      CHECK(core::asked_span("the journey with hash 00ff " + rest).agency.empty());
      CHECK(core::asked_span(rest).agency.empty());
      CHECK_FALSE(core::asked_span(rest).entries);
      const auto span = core::asked_span("entries 2 to 30 " + rest);
      REQUIRE(span.entries);
      CHECK(*span.entries == std::pair<Sequence, Sequence>(2, 30));
      CHECK(span.agency.empty());
    }
  }
}
