#include <atomic>

#include "tests/unit/app/lines.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::Lines;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::WatchOptions options_of(const SmallCounty& county, const std::string& role) {
  app::WatchOptions options;
  options.config = county.config();
  options.role = role;
  options.seconds = 300;
  return options;
}

}  // namespace

TEST_CASE("a watcher sees what its role may see as it happens, and stops after the number it asked for") {
  const RunningCounty county;
  app::WatchOptions options = options_of(county, "desk");
  options.count = 2;
  options.json = true;
  Told told;
  std::atomic<bool> over{false};
  ExitCode code = ExitCode::usage;
  std::thread watching([&] {
    code = app::watch(options, told.surroundings);
    over = true;
  });
  while (!over) CHECK(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  watching.join();
  CHECK(code == ExitCode::ok);
  const std::string lines = told.out.str();
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
  CHECK(told.said("Marlow"));
  CHECK_FALSE(told.said("9990000018"));
  CHECK(told.complained("watching as desk of council"));
}

TEST_CASE("a watcher that says it is watching sees what comes from then on") {
  const RunningCounty county;
  app::WatchOptions options = options_of(county, "desk");
  options.count = 1;
  Told told;
  Lines lines;
  std::ostream err(&lines);
  app::Surroundings surroundings{told.in, told.out, err, [](std::chrono::milliseconds) { return false; }};
  ExitCode code = ExitCode::usage;
  std::thread watching([&] { code = app::watch(options, surroundings); });
  CHECK(lines.written.get().starts_with("watching as desk of council"));
  CHECK(county.publish(SmallCounty::flag("")) == ExitCode::ok);
  watching.join();
  CHECK(code == ExitCode::ok);
  CHECK(told.said("Marlow"));
}

TEST_CASE("a watcher that is told to stop leaves content") {
  const RunningCounty county;
  Told told;
  told.stop = true;
  CHECK(app::watch(options_of(county, "desk"), told.surroundings) == ExitCode::ok);
  CHECK(told.out.str().empty());
}

TEST_CASE("a role or a condition that nobody knows is refused with the nearest, before any hub is asked") {
  const SmallCounty county;
  Told role;
  CHECK(app::watch(options_of(county, "desc"), role.surroundings) == ExitCode::wrong_input);
  CHECK(role.complained("`desk`"));
  app::WatchOptions options = options_of(county, "desk");
  options.filter = {{"types", "admision"}};
  Told filter;
  CHECK(app::watch(options, filter.surroundings) == ExitCode::usage);
  CHECK(filter.complained("`admission`"));
}

TEST_CASE("a watcher without a hub says where it looked") {
  const SmallCounty county;
  Told told;
  CHECK(app::watch(options_of(county, "desk"), told.surroundings) == ExitCode::unavailable);
  CHECK(told.complained("no hub answers at"));
}
