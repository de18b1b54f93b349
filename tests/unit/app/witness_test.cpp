#include "broker/app/witness.hpp"

#include <catch2/catch.hpp>

#include "broker/server/witnesses.hpp"
#include "broker/storage/signing_key.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using app::WitnessOptions;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

/// A witness on the hub's own machine, with its key and memory in the county's folder.
WitnessOptions options_in(const SmallCounty& county) {
  WitnessOptions options;
  options.key = county.folder.path() / "witness.key";
  options.name = "witness.march.example";
  options.hub = "ipc://" + (county.folder.path() / "data" / "hub.sock").string();
  options.keys = county.folder.path() / "data" / storage::kCheckpointKeysFile;
  options.memory = county.folder.path() / "seen";
  options.once = true;
  return options;
}

/// Makes the witness's key, and has the hub know it.
void introduce(const SmallCounty& county) {
  auto options = options_in(county);
  options.action = WitnessOptions::Action::keygen;
  Told told;
  REQUIRE(app::witness(options, told.surroundings) == ExitCode::ok);
  const std::string key = told.out.str().substr(0, told.out.str().find('\n'));
  county.change("[[agency]]\nid = \"council\"",
                "[[witness]]\nname = \"March\"\nkey = \"" + key + "\"\n[[agency]]\nid = \"council\"");
}

}  // namespace

TEST_CASE("a witness cosigns what the hub shows as that grows, and the hub keeps it") {
  const RunningCounty county(app::RunOptions::Parts::broker, introduce);
  auto options = options_in(county);
  options.json = true;
  const auto look = [&options] {
    Told told;
    return app::witness(options, told.surroundings) == ExitCode::ok ? told.out.str() : std::string();
  };
  const auto kept = county.folder.path() / "data" / server::kCosignedFile;
  // The hub signs its first entries within a second.
  std::string first;
  REQUIRE(fakes::eventually([&] { return !(first = look()).empty(); }));
  CHECK(first.starts_with(R"({"origin":"carehub/small","entries":)"));
  REQUIRE(fakes::eventually([&] { return std::filesystem::exists(kept); }));
  REQUIRE(county.publish(SmallCounty::flag("w1")) == ExitCode::ok);
  const auto entries = [](const std::string& line) { return line.substr(0, line.find(",\"cosigned_at")); };
  CHECK(fakes::eventually([&] {
    const std::string line = look();
    return !line.empty() && entries(line) != entries(first);
  }));

  Told status;
  CHECK(app::status({county.config(), true}, status.surroundings) == ExitCode::ok);
  CHECK(status.said("cosigned_entries"));
}

TEST_CASE("a witness that the hub does not know is told so") {
  const RunningCounty county;
  auto options = options_in(county);
  options.action = WitnessOptions::Action::keygen;
  Told made;
  REQUIRE(app::witness(options, made.surroundings) == ExitCode::ok);
  CHECK(made.complained("[[witness]]"));
  Told again;
  CHECK(app::witness(options, again.surroundings) == ExitCode::wrong_input);
  options.action = WitnessOptions::Action::run;
  CHECK(fakes::eventually([&] {
    Told told;
    return app::witness(options, told.surroundings) == ExitCode::denied &&
           told.complained("this hub knows no witness");
  }));
}

TEST_CASE("what a witness lacks is named before it looks") {
  const SmallCounty county;
  auto options = options_in(county);
  Told no_key;
  CHECK(app::witness(options, no_key.surroundings) == ExitCode::not_found);
  CHECK(no_key.complained("carehub witness keygen --name NAME --key"));
  introduce(county);
  Told no_keys;
  CHECK(app::witness(options, no_keys.surroundings) != ExitCode::ok);
  options.hub = "tcp://127.0.0.1:1";
  Told no_curve;
  CHECK(app::witness(options, no_curve.surroundings) == ExitCode::wrong_input);
  CHECK(no_curve.complained("--hub-public-file"));
}
