#include <catch2/catch.hpp>

#include "broker/app/commands.hpp"
#include "tests/unit/app/told.hpp"

using namespace carehub;

TEST_CASE("the version says what the program, its wire and its ledger are, in words and as JSON") {
  test::Told words;
  CHECK(app::version({}, words.surroundings) == app::ExitCode::ok);
  CHECK(words.out.str().starts_with("carehub "));
  CHECK(words.said(", wire "));
  CHECK(words.said(", ledger entries "));
  test::Told json;
  CHECK(app::version({true}, json.surroundings) == app::ExitCode::ok);
  CHECK(json.out.str().starts_with(R"({"carehub":")"));
  CHECK(json.out.str().ends_with("\"}\n"));
}
