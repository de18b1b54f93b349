#include "broker/app/configuration.hpp"

#include <sstream>

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::read_configuration;
using test::SmallCounty;

TEST_CASE("both sides of hub.toml are read together, and nothing is made") {
  const SmallCounty county;
  const auto configuration = read_configuration(county.config());
  REQUIRE(configuration.faults.empty());
  CHECK(configuration.hub.rules.agencies.size() == 2);
  CHECK(configuration.hub.rules.inbound.size() == 1);
  CHECK(configuration.channels.size() == 2);
  CHECK(county.folder.files() == std::set<std::string>{"hub.toml", "policy.toml"});
}

TEST_CASE("a fault that both sides see is told once, and hub.toml's come before other files', by line") {
  const SmallCounty county;
  county.change("[[channel]]\nname = \"council-in\"\n", "[[channel]]\n");
  county.change("direction = \"out\"", "direction = \"sideways\"");
  county.folder.write("policy.toml", "[[rule]]\nname = \"x\"\n");
  const auto faults = read_configuration(county.config()).faults;
  REQUIRE(faults.size() >= 3);
  bool elsewhere = false;
  for (std::size_t at = 0; at < faults.size(); ++at) {
    INFO(to_string(faults[at]));
    const bool main = faults[at].file == county.config();
    CHECK_FALSE((main && elsewhere));
    elsewhere = elsewhere || !main;
    if (at == 0) continue;
    CHECK(to_string(faults[at]) != to_string(faults[at - 1]));
    if (faults[at].file == faults[at - 1].file) CHECK(faults[at].line >= faults[at - 1].line);
  }
  CHECK(elsewhere);
}

TEST_CASE("a key that neither side knows is a fault, one that either knows is none") {
  const SmallCounty county;
  county.change("poll_ms = 20", "poll_ns = 20");
  const auto faults = read_configuration(county.config()).faults;
  REQUIRE(faults.size() == 1);
  CHECK(to_string(faults[0]).find("Did you mean `poll_ms`?") != std::string::npos);
}

TEST_CASE("a file that is missing or no TOML is one fault, not one for each missing key") {
  const SmallCounty county;
  CHECK(read_configuration(county.folder.path() / "none.toml").faults.size() == 1);
  county.folder.write("hub.toml", "[hub\n");
  CHECK(read_configuration(county.config()).faults.size() == 1);
}

TEST_CASE("faults are printed a line each, and counted in words that fit") {
  std::ostringstream one, two;
  app::print_faults({{"hub.toml", 3, 1, "it is wrong", "Mend it"}}, one);
  CHECK(one.str() == "hub.toml:3:1: it is wrong. Mend it\n");
  app::print_faults({{"a", 1, 1, "x", "y"}, {"b", 1, 1, "x", "y"}}, two);
  CHECK(two.str().ends_with("2 faults\n"));
}

TEST_CASE("a pack that says that people read it makes its channel's subscription one of notices") {
  for (const bool notice : {true, false}) {
    const SmallCounty county;
    county.folder.write("packs/told.toml",
                        "[pack]\nname = \"told\"\nversion = \"1\"\nformat = \"json\"\ndirection = \"out\"\n" +
                            std::string(notice ? "notice = true\n" : "") +
                            "[[field]]\nto = \"notice\"\nfrom = \"id\"\n");
    county.change("role = \"desk\"\n", "role = \"desk\"\npack = \"told.toml\"\n");
    const auto configuration = read_configuration(county.config());
    for (const auto& fault : configuration.faults) FAIL(to_string(fault));
    REQUIRE(configuration.hub.rules.subscriptions.size() == 1);
    CHECK(configuration.hub.rules.subscriptions[0].notice == notice);
  }
}
