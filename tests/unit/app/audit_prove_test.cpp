#include "broker/app/audit_prove.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/app/audit.hpp"
#include "broker/app/program.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using app::ProveOptions;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

ProveOptions proof_of(const SmallCounty& county, const std::string& sequence) {
  ProveOptions options;
  options.sequence = sequence;
  options.config = county.config();
  options.by = "an auditor";
  options.reason = "case review 4";
  return options;
}

}  // namespace

TEST_CASE("a running hub's entry is proven, on record, and the proof holds offline") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  Told proof;
  REQUIRE(app::audit_prove(proof_of(county, "2"), proof.surroundings) == ExitCode::ok);
  app::AuditOptions check;
  check.subject = "-";
  check.keys = county.folder.path() / "data/checkpoint.keys";
  Told held(proof.out.str());
  CHECK(app::audit(check, held.surroundings) == ExitCode::ok);
  CHECK(held.said("the proof holds: entry 2"));

  app::TrailOptions trail;
  trail.config = county.config();
  trail.by = "an auditor";
  trail.reason = "a test";
  Told told;
  REQUIRE(app::audit_trail(trail, told.surroundings) == ExitCode::ok);
  CHECK(told.said("entries  as sealed from entry 2 to 2"));
  CHECK(told.said("case review 4"));
}

TEST_CASE("an entry that a running hub does not have, and another hub's key, prove nothing") {
  const RunningCounty county;
  Told missing;
  CHECK(app::audit_prove(proof_of(county, "1000000"), missing.surroundings) == ExitCode::not_found);
  CHECK(missing.out.str().empty());
  std::ofstream(county.folder.path() / "other.keys")
      << "carehub/other+dbf06896+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
  auto options = proof_of(county, "1");
  options.keys = county.folder.path() / "other.keys";
  Told refused;
  CHECK(app::audit_prove(options, refused.surroundings) == ExitCode::wrong_input);
  CHECK(refused.out.str().empty());
}

TEST_CASE("what is no number of an entry is told before any hub or ledger is asked") {
  const SmallCounty county;
  for (const auto* text : {"x", "0", "-1", "1.5", ""}) {
    Told told;
    CHECK(app::audit_prove(proof_of(county, text), told.surroundings) == ExitCode::usage);
  }
  ProveOptions nowhere;
  nowhere.sequence = "1";
  nowhere.ledger = county.folder.path() / "nowhere";
  Told told;
  CHECK(app::audit_prove(nowhere, told.surroundings) == ExitCode::not_found);
}

TEST_CASE("prove is asked of a running hub by somebody with a reason, or of a ledger") {
  const auto usage = [](std::vector<std::string> words) {
    const auto parsed = app::parse_command(std::move(words));
    const auto* leave = std::get_if<app::Leave>(&parsed);
    return leave != nullptr && leave->code == ExitCode::usage;
  };
  CHECK(usage({"audit", "prove", "1"}));
  CHECK(usage({"audit", "prove", "1", "hub.toml"}));
  CHECK(usage({"audit", "prove", "1", "hub.toml", "--by", "a"}));
  CHECK(usage({"audit", "prove", "1", "hub.toml", "--by", "a", "--reason", "b", "--ledger", "data"}));
  CHECK_FALSE(usage({"audit", "prove", "1", "--ledger", "data"}));
  CHECK_FALSE(usage({"audit", "prove", "1", "hub.toml", "--by", "a", "--reason", "b"}));
}
