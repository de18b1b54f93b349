#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::SmallCounty;
using test::Told;

namespace {

ExitCode try_it(const SmallCounty& county, Told& told, bool json = false,
                const std::string& channel = "council-in") {
  return app::try_message({county.config(), channel, "-", json}, told.surroundings);
}

}  // namespace

TEST_CASE("a message is tried through to everybody's view, and nothing is kept of it") {
  const SmallCounty county;
  Told told(SmallCounty::flag("e1"));
  CHECK(try_it(county, told) == ExitCode::ok);
  CHECK(told.said("becomes: safeguarding_flag"));
  CHECK(told.said("person.names[0].family"));
  CHECK(told.said("council-desk  (council as desk)  shown by rule \"desk sees that there is a flag\""));
  CHECK(told.said("basis: Children Act 1989 s.47"));
  CHECK_FALSE(county.folder.has("data"));
}

TEST_CASE("the same as JSON is one object a message") {
  const SmallCounty county;
  Told told(SmallCounty::flag("e1"));
  CHECK(try_it(county, told, true) == ExitCode::ok);
  const std::string line = told.out.str();
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  CHECK(line.find(R"("accepted":true)") != std::string::npos);
  CHECK(line.find(R"("verdict":"shown")") != std::string::npos);
}

TEST_CASE("a message that would be refused says where it is wrong, and the exit code says so") {
  const SmallCounty county;
  std::string text = SmallCounty::flag("e1");
  text.replace(text.find("9990000018"), 10, "9990000019");
  Told told(text);
  CHECK(try_it(county, told) == ExitCode::wrong_input);
  CHECK(told.said("wrong: "));
  CHECK(told.said("person.nhs_number"));
  Told json(text);
  CHECK(try_it(county, json, true) == ExitCode::wrong_input);
  CHECK(json.said(R"("accepted":false)"));
  CHECK(json.said(R"("faults":[{"code":)"));
}

TEST_CASE("a message of a type that the agency may not publish goes to nobody") {
  const SmallCounty county;
  county.change("may_publish = [\"safeguarding_flag\"]", "may_publish = [\"capacity\"]");
  Told told(SmallCounty::flag("e1"));
  CHECK(try_it(county, told) == ExitCode::wrong_input);
  CHECK(told.said("type_not_permitted"));
  CHECK_FALSE(told.said("council-desk"));
}

TEST_CASE("an outbound or unknown channel cannot be tried, and the nearest is named") {
  const SmallCounty county;
  Told outbound(SmallCounty::flag("e1"));
  CHECK(try_it(county, outbound, false, "council-desk") == ExitCode::not_found);
  Told misspelt(SmallCounty::flag("e1"));
  CHECK(try_it(county, misspelt, false, "council-inn") == ExitCode::not_found);
  CHECK(misspelt.complained("Did you mean `council-in`?"));
}

TEST_CASE("an empty message, and a configuration with a fault, are refused before anything is tried") {
  const SmallCounty county;
  Told empty;
  CHECK(try_it(county, empty) == ExitCode::wrong_input);
  CHECK(empty.complained("standard input is empty"));
  county.change("kind = \"folder\", directory = \"in\"", "kind = \"folder\"");
  Told faulty(SmallCounty::flag("e1"));
  CHECK(try_it(county, faulty) == ExitCode::wrong_input);
  CHECK(faulty.complained("`directory`"));
  CHECK(faulty.out.str().empty());
}
