#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "broker/app/commands.hpp"
#include "tests/fakes/temporary_directory.hpp"

/// Commands that need no running hub, over the sample county's own files.
using namespace carehub;
using app::ExitCode;

namespace {

namespace fs = std::filesystem;

fs::path source_root() { return fs::path(CAREHUB_SOURCE_DIR); }

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A copy of deploy/sample whose data directory is its own.
class County {
 public:
  County() {
    for (const auto& entry : fs::directory_iterator(source_root() / "deploy/sample")) {
      if (entry.path().extension() == ".toml") fs::copy_file(entry.path(), path() / entry.path().filename());
    }
    std::ofstream(path() / "council.token") << "a-token-for-this-test-only\n";
    fs::permissions(path() / "council.token", fs::perms::owner_read);
    replace("../../run/northmarch-files", (path() / "files").string());
    replace("../../run/northmarch", data().string());
    replace("../../adapters", (source_root() / "adapters").string());
    for (const char* folder : {"files/holm/in", "files/holm/out", "files/priory/out"}) {
      fs::create_directories(path() / folder);
    }
  }

  const fs::path& path() const { return directory_.path(); }
  fs::path config() const { return path() / "hub.toml"; }
  fs::path data() const { return path() / "data"; }

  void replace(const std::string& old, const std::string& with) const {
    std::string text = read(config());
    REQUIRE(text.find(old) != std::string::npos);
    for (std::size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += with.size()) {
      text.replace(at, old.size(), with);
    }
    std::ofstream(config()) << text;
  }

 private:
  fakes::TemporaryDirectory directory_;
};

struct Done {
  ExitCode code;
  std::string out, err;
};

template <class Command>
Done done(Command command, const std::string& input = {}) {
  std::istringstream in(input);
  std::ostringstream out, err;
  app::Surroundings surroundings{in, out, err, [](std::chrono::milliseconds) { return true; }};
  const ExitCode code = command(surroundings);
  return {code, out.str(), err.str()};
}

Done check(const County& county, bool json = false) {
  return done([&](app::Surroundings& around) { return app::check({county.config(), json}, around); });
}

Done try_message(const County& county, const std::string& channel, const std::string& message,
                 bool json = false) {
  return done(
      [&](app::Surroundings& around) {
        return app::try_message({county.config(), channel, "-", json}, around);
      },
      message);
}

std::string admission(const std::string& nhs_number, const std::string& born) {
  return "MSH|^~\\&|PAS|RZY02|CAREHUB|NORTHMARCH|20260302091000||ADT^A01^ADT_A01|TRY1|P|2.4\r"
         "EVN|A01|20260302091000\r"
         "PID|1||" +
         nhs_number + "^^^NHS^NH||Quillfeather^Robin^^^^^L||" + born +
         "|M\r"
         "PV1|1|I|WILLOW^BAY 1^3^RZY02||||||||||||||||V1^^^RZY02|||||||||||||||||||||||||20260302091000\r"
         "ZZZ|1|odd\r";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the sample county is right, and checking it makes nothing") {
  const County county;
  const Done result = check(county);
  INFO(result.out << result.err);
  CHECK(result.code == ExitCode::ok);
  CHECK(holds(result.out, "elwick-adt"));
  CHECK_FALSE(fs::exists(county.data()));
}

TEST_CASE("check lists the faults of both sides in the order of the file, each once") {
  const County county;
  county.replace("kind = \"commissioner\"", "kind = \"comissioner\"");
  county.replace("kind = \"mllp\", address = \"127.0.0.1\", port = 2576", "kind = \"mlpp\", port = 2576");
  county.replace("tiers = [4]", "tiers = [5]");
  const Done result = check(county);
  INFO(result.out);
  CHECK(result.code == ExitCode::wrong_input);
  const auto agency = result.out.find("`commissioner`");
  const auto transport = result.out.find("mllp");
  CHECK(agency != std::string::npos);
  CHECK(transport != std::string::npos);
  CHECK(agency < transport);
  CHECK(holds(result.out, "3 faults"));
}

TEST_CASE("check as JSON says file, line, column, text and remedy of each fault") {
  const County county;
  county.replace("name = \"Northmarch\"", "nam = \"Northmarch\"");
  const Done result = check(county, true);
  CHECK(result.code == ExitCode::wrong_input);
  CHECK(holds(result.out, "\"line\":5"));
  CHECK(holds(result.out, "\"remedy\""));
  CHECK(holds(result.out, "hub.toml"));
}

TEST_CASE("a message is tried field by field, with who would get what, and touches nothing") {
  const County county;
  const Done result = try_message(county, "fenbrook-adt", admission("9990000050", "20120503"));
  INFO(result.out << result.err);
  CHECK(result.code == ExitCode::ok);
  CHECK(holds(result.out, "becomes: admission"));
  CHECK(holds(result.out, "PID-3"));
  CHECK(holds(result.out, "not mapped: ZZZ"));
  CHECK(holds(result.out, "tier4-notice  (march-commissioner as tier4-case-manager)  shown by rule"));
  CHECK(holds(result.out, "holm-notices  (holm-school as school-pastoral)  not wanted"));
  CHECK(holds(result.out, "MSA|AA|TRY1"));
  CHECK_FALSE(fs::exists(county.data()));
}

TEST_CASE("a message about an adult is tried as not kept, and acknowledged") {
  const County county;
  const Done result = try_message(county, "fenbrook-adt", admission("9990000050", "19700101"));
  CHECK(result.code == ExitCode::ok);
  CHECK(holds(result.out, "not kept: "));
  CHECK(holds(result.out, "MSA|AA|TRY1"));
  CHECK_FALSE(holds(result.out, "tier4-notice"));
}

TEST_CASE("a message with a wrong number names the place, and is answered with an error") {
  const County county;
  const Done result = try_message(county, "elwick-adt", admission("9990000001", "20120503"));
  CHECK(result.code == ExitCode::wrong_input);
  CHECK(holds(result.out, "PID-3"));
  CHECK(holds(result.out, "MSA|AE|TRY1"));
}

TEST_CASE("a try as JSON is one object a message") {
  const County county;
  const Done result = try_message(county, "fenbrook-adt", admission("9990000050", "20120503"), true);
  CHECK(result.code == ExitCode::ok);
  CHECK(holds(result.out, "\"accepted\":true"));
  CHECK(holds(result.out, "\"verdict\":\"shown\""));
  CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 1);
}

TEST_CASE("a channel that is unknown names the nearest") {
  const County county;
  const Done result = try_message(county, "elwick-atd", "x");
  CHECK(result.code == ExitCode::not_found);
  CHECK(holds(result.err, "`elwick-adt`"));
  CHECK(try_message(county, "tier4-notice", "x").code == ExitCode::not_found);
}

TEST_CASE("a hub with a wrong configuration says every fault and starts nothing") {
  const County county;
  county.replace("tiers = [4]", "tiers = [5]");
  const Done result = done([&](app::Surroundings& around) {
    app::RunOptions options;
    options.config = county.config();
    return app::run(options, around);
  });
  CHECK(result.code == ExitCode::wrong_input);
  CHECK(holds(result.err, "hub.toml:"));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  CHECK_FALSE(fs::exists(county.data()));
}

TEST_CASE("there is nothing to rebuild where there is no ledger") {
  const County county;
  const Done result =
      done([&](app::Surroundings& around) { return app::rebuild({county.config()}, around); });
  CHECK(result.code == ExitCode::not_found);
  CHECK_FALSE(fs::exists(county.data()));
}

TEST_CASE("a question to a hub that does not run is unavailable") {
  const County county;
  const Done result =
      done([&](app::Surroundings& around) { return app::status({county.config(), false}, around); });
  CHECK(result.code == ExitCode::unavailable);
  CHECK(holds(result.err, "carehub run"));
}
