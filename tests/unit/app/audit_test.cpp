#include "broker/app/audit.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "broker/app/audit_prove.hpp"
#include "broker/storage/signing_key.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::AuditOptions;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

std::filesystem::path data_of(const SmallCounty& county) { return county.folder.path() / "data"; }

}  // namespace

TEST_CASE(
    "an entry of a stopped hub is proven, and the proof holds on another machine with its public keys") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  AuditOptions whole;
  whole.ledger = data_of(county);
  Told running;
  CHECK(app::audit(whole, running.surroundings) == ExitCode::storage);
  CHECK(running.complained("in use by another hub"));
  REQUIRE(county.stop() == ExitCode::ok);

  Told verified;
  CHECK(app::audit(whole, verified.surroundings) == ExitCode::ok);
  CHECK(verified.said("nothing is wrong"));
  whole.json = true;
  Told as_json;
  CHECK(app::audit(whole, as_json.surroundings) == ExitCode::ok);
  CHECK(as_json.said(R"("faults":0)"));

  app::ProveOptions prove;
  prove.sequence = "2";
  prove.ledger = data_of(county);
  Told proof;
  REQUIRE(app::audit_prove(prove, proof.surroundings) == ExitCode::ok);
  const auto file = county.folder.path() / "2.tlog-proof";
  std::ofstream(file) << proof.out.str();

  AuditOptions check;
  check.subject = file.string();
  Told no_keys;
  CHECK(app::audit(check, no_keys.surroundings) == ExitCode::usage);
  check.keys = data_of(county) / "checkpoint.keys";
  Told held;
  CHECK(app::audit(check, held.surroundings) == ExitCode::ok);
  CHECK(held.said("the proof holds: entry 2"));

  std::string wrong = proof.out.str();
  wrong.replace(wrong.find("index 1"), 7, "index 0");
  std::ofstream(file, std::ios::trunc) << wrong;
  Told refused;
  CHECK(app::audit(check, refused.surroundings) == ExitCode::wrong_input);
  CHECK(refused.complained("the proof does not hold"));
}

TEST_CASE("a new signing key is on record, and what the old one signed still verifies") {
  RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(county.stop() == ExitCode::ok);
  app::ProveOptions prove;
  prove.sequence = "1";
  prove.ledger = data_of(county);
  Told proof;
  REQUIRE(app::audit_prove(prove, proof.surroundings) == ExitCode::ok);

  AuditOptions rotate;
  rotate.action = AuditOptions::Action::rotate_key;
  rotate.subject = county.config().string();
  rotate.by = "an operator";
  rotate.reason = "a test";
  Told rotated;
  const auto read = [&](const char* name) {
    std::ifstream file(data_of(county) / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string secret = read("signing.key");
  REQUIRE(app::audit(rotate, rotated.surroundings) == ExitCode::ok);
  CHECK(rotated.said("recorded as entry"));
  CHECK(read("signing.key") != secret);
  const auto keys = storage::listed_keys(data_of(county) / "checkpoint.keys");
  REQUIRE(keys);
  REQUIRE(keys->size() == 2);
  CHECK(storage::verify::signer_of(*storage::verify::parse_checkpoint(read("checkpoint")), {keys->front()}));

  Told again;
  again.stop = true;  // as soon as it runs
  app::RunOptions run;
  run.config = county.config();
  run.parts = app::RunOptions::Parts::broker;
  REQUIRE(app::run(run, again.surroundings) == ExitCode::ok);
  CHECK(storage::verify::signer_of(*storage::verify::parse_checkpoint(read("checkpoint")), {keys->back()}));

  AuditOptions check;
  check.subject = "-";
  check.keys = data_of(county) / "checkpoint.keys";
  Told held(proof.out.str());
  CHECK(app::audit(check, held.surroundings) == ExitCode::ok);
  AuditOptions whole;
  whole.ledger = data_of(county);
  Told verified;
  CHECK(app::audit(whole, verified.surroundings) == ExitCode::ok);
}

TEST_CASE("a ledger that is not there is told") {
  SmallCounty county;
  AuditOptions options;
  options.ledger = county.folder.path() / "nowhere";
  Told nowhere;
  CHECK(app::audit(options, nowhere.surroundings) == ExitCode::not_found);
}
