#include "broker/app/sharing_register.hpp"

#include "broker/app/configuration.hpp"
#include "broker/app/program.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::SmallCounty;
using test::Told;

namespace {

void agree(const SmallCounty& county) {
  county.change("kind = \"commissioner\"",
                "kind = \"commissioner\"\nmay_publish = [\"admission\", \"safeguarding_flag\"]");
  auto policy = county.folder.read("policy.toml");
  policy.insert(policy.find("relationship ="), "agreement = \"Flags 2026\"\nage_max = 18\n");
  county.folder.write("policy.toml", policy + R"([[agreement]]
name = "Flags 2026"
parties = ["council", "commissioner"]
signatories = ["A Guardian"]
signed = 2026-03-20
from = 2026-04-01
until = 2097-03-31
purposes = ["=safeguarding"]
)");
}

}  // namespace

TEST_CASE("the register says who shares what with whom, why, under which agreement and until when") {
  const SmallCounty county;
  agree(county);
  const auto configuration = app::read_configuration(county.config());
  REQUIRE(configuration.faults.empty());
  const auto sharings = app::sharing_register(configuration.hub);
  REQUIRE(sharings.size() == 2);
  const auto& desk = sharings[0];
  CHECK(desk.rule == "desk sees that there is a flag");
  CHECK(desk.from == std::vector<std::string>{"council", "commissioner"});
  CHECK(desk.events == std::vector<std::string>{"safeguarding_flag", "(its residents; 0 to 17 years)"});
  CHECK(desk.fields == std::vector<std::string>{"person.names[]", "safeguarding_flag"});
  CHECK(desk.with == "council");
  CHECK(desk.role == "desk");
  CHECK(desk.agreement == "Flags 2026");
  CHECK(desk.until == "2097-03-31");
  CHECK(sharings[1].role == "auditor");
  CHECK(sharings[1].with.empty());
}

TEST_CASE("what an agreement keeps from an agency that is no party is not in the register") {
  const SmallCounty county;
  agree(county);
  auto policy = county.folder.read("policy.toml");
  const std::string parties = "[\"council\", \"commissioner\"]";
  county.folder.write("policy.toml",
                      policy.replace(policy.find(parties), parties.size(), "[\"commissioner\", \"third\"]"));
  county.change("[[channel]]", "[[agency]]\nid = \"third\"\nkind = \"school\"\n[[channel]]");
  const auto configuration = app::read_configuration(county.config());
  REQUIRE(configuration.faults.empty());
  const auto sharings = app::sharing_register(configuration.hub);
  REQUIRE(sharings.size() == 1);
  CHECK(sharings[0].role == "auditor");
}

TEST_CASE("policy register prints a table, or CSV that no spreadsheet takes for a formula") {
  const SmallCounty county;
  agree(county);
  Told table;
  CHECK(app::policy_register({county.config(), false}, table.surroundings) == ExitCode::ok);
  for (const auto* text : {"from", "until", "commissioner", "person.names[]", "as desk",
                           "Children Act 1989 s.47", "Flags 2026", "2097-03-31", "operators"})
    CHECK(table.said(text));
  Told csv;
  CHECK(app::policy_register({county.config(), true}, csv.surroundings) == ExitCode::ok);
  CHECK(csv.out.str().starts_with(
      "rule,from,events,fields,with,role,purposes,legal_basis,agreement,until\r\n"));
  CHECK(csv.said("council; commissioner,safeguarding_flag; (its residents; 0 to 17 years)"));
  CHECK(csv.said(",council,desk,\"'=safeguarding\",Children Act 1989 s.47,Flags 2026,2097-03-31\r\n"));
  county.change("kind = \"council\"", "kind = \"counsil\"");
  Told faulty;
  CHECK(app::policy_register({county.config(), false}, faulty.surroundings) == ExitCode::wrong_input);
  CHECK(faulty.complained("hub.toml:11:"));
}

TEST_CASE("policy register needs a configuration") {
  const auto parsed = app::parse_command({"policy", "register", "hub.toml", "--csv"});
  const auto* command = std::get_if<app::Command>(&parsed);
  REQUIRE(command != nullptr);
  const auto* options = std::get_if<app::PolicyRegisterOptions>(command);
  REQUIRE(options != nullptr);
  CHECK(options->config == "hub.toml");
  CHECK(options->csv);
  const auto refused = app::parse_command({"policy", "register"});
  REQUIRE(std::get_if<app::Leave>(&refused) != nullptr);
}
