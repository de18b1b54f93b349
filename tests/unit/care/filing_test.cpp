#include "broker/care/filing.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using care::Filing;

TEST_CASE("where a row's fact is filed is told in words that are read back") {
  const Filing whole{2, 17, 19, 23};
  CHECK(care::to_text(whole) == "record 2, decided in 17, acknowledged in 19, given up in 23");
  CHECK(care::filing_from(care::to_text(whole)) == whole);
  const Filing decided{0, 17, 0, 0};
  CHECK(care::to_text(decided) == "decided in 17");
  CHECK(care::filing_from(care::to_text(decided)) == decided);
  CHECK(care::to_text(Filing()).empty());
  for (const auto* text : {"", "on its way", "record", "record x", ", , ", "decided in -4"})
    CHECK(care::filing_from(text) == Filing());
}
