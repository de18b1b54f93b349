#include "broker/app/hub_options.hpp"

#include <fstream>
#include <sstream>

#include "broker/app/key_files.hpp"
#include "tests/unit/app/lines.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::Lines;
using test::SmallCounty;

namespace {

server::HubConfig config_of(const SmallCounty& county) {
  test::Told told;
  auto config = app::load_config(county.config(), told.surroundings);
  if (!config) FAIL(told.err.str());
  return *config;
}

}  // namespace

TEST_CASE("a hub is started as its configuration says") {
  const SmallCounty county;
  server::HubConfig config = config_of(county);
  const auto keys = app::make_key_pair();
  REQUIRE(app::write_key_pair(county.folder.path() / "hub", keys));
  config.curve_secret_file = county.folder.path() / "hub.secret";
  const auto options = app::hub_options(config);
  REQUIRE(options);
  CHECK(options->name == "Small");
  CHECK(options->data == county.folder.path() / "data");
  CHECK(options->endpoints == config.listen);
  CHECK(options->rules.agencies.size() == 2);
  CHECK(options->curve_secret == keys.secret_key);
}

TEST_CASE("a secret key that is missing is named by its file") {
  const SmallCounty county;
  server::HubConfig config = config_of(county);
  config.curve_secret_file = county.folder.path() / "none.secret";
  const auto options = app::hub_options(config);
  REQUIRE_FALSE(options);
  CHECK(options.error().text.find("none.secret") != std::string::npos);
}

TEST_CASE("a port that is taken and a disk that is not writable leave with different codes") {
  const SmallCounty county;
  auto options = *app::hub_options(config_of(county));
  const auto first = app::start_hub(options);
  REQUIRE(first);
  auto other = options;
  other.data = county.folder.path() / "other";
  other.endpoints = {"tcp://127.0.0.1:1"};  // without a key: refused whoever has the port
  const auto keyless = app::start_hub(other);
  REQUIRE_FALSE(keyless);
  CHECK(keyless.error().code != ExitCode::storage);
  other.endpoints = {"ipc:///nonexistent/hub.sock"};
  const auto unbound = app::start_hub(other);
  REQUIRE_FALSE(unbound);
  CHECK(unbound.error().code == ExitCode::unavailable);
  CHECK(unbound.error().text.find("ipc:///nonexistent/hub.sock") != std::string::npos);
  // What a message happens to name decides nothing: here the disk's fault names the endpoint, too.
  auto named = options;
  named.data = county.folder.path() / "file";
  std::ofstream(named.data) << "no directory";
  named.endpoints = {"ipc://" + named.data.string()};
  const auto unopened = app::start_hub(named);
  REQUIRE_FALSE(unopened);
  CHECK(unopened.error().code == ExitCode::storage);
  options.endpoints = {"ipc://" + (county.folder.path() / "second.sock").string()};
  const auto second = app::start_hub(options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ExitCode::storage);
  REQUIRE((*first)->stop());
}

TEST_CASE("a fold that is soon over says nothing of its progress") {
  std::ostringstream out;
  const auto progress = app::progress_on(out);
  for (Sequence done = 0; done < 1'000; ++done) progress(done, 1'000);
  CHECK(out.str().empty());
}

TEST_CASE("what takes long says that it is still under way, and nothing once it has ended") {
  Lines lines;
  std::ostream out(&lines);
  app::StillBusy busy(out, "opening", std::chrono::milliseconds(1));
  CHECK(lines.written.get(1).starts_with("opening, for 0 s now\nopening, for "));
  busy.end();
  const std::string said = lines.str();
  busy.end();
  CHECK(lines.str() == said);
  std::ostringstream quiet;
  app::StillBusy(quiet, "opening").end();
  CHECK(quiet.str().empty());
}
