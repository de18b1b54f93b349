#include "tests/fakes/awaited.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

namespace {

app::ReplayOptions replay_of(const SmallCounty& county, const std::string& role) {
  app::ReplayOptions options;
  options.config = county.config();
  options.role = role;
  options.by = "an operator";
  options.reason = "a test";
  return options;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("a replay is counted by subscriber and type before it is shown, and shows each role its own view") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1") + SmallCounty::flag("e2")) == ExitCode::ok);
  auto options = replay_of(county, "desk");
  options.preview = true;
  Told preview;
  CHECK(app::replay(options, preview.surroundings) == ExitCode::ok);
  CHECK(preview.said("would show 2\n"));
  CHECK(preview.said("council-desk"));
  options.json = true;
  Told counted;
  CHECK(app::replay(options, counted.surroundings) == ExitCode::ok);
  CHECK(counted.out.str() ==
        "{\"type\":\"safeguarding_flag\",\"matched\":2}\n"
        "{\"subscription\":\"council-desk\",\"type\":\"safeguarding_flag\",\"matched\":2}\n"
        "{\"matched\":2}\n");
  options.preview = false;
  Told shown;
  CHECK(app::replay(options, shown.surroundings) == ExitCode::ok);
  CHECK(lines_of(shown.out.str()) == 2);
  CHECK(shown.said(R"("replay":true)"));
  CHECK_FALSE(shown.said("9990000018"));
  CHECK(shown.complained("shown 2\n"));
}

TEST_CASE("a replay about one child that names nobody is refused, and shows nobody else's events") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  for (const std::string given : {"", " ", "-"}) {
    auto options = replay_of(county, "desk");
    options.person.text = given;
    Told told("\n");
    CHECK(app::replay(options, told.surroundings) == ExitCode::wrong_input);
    CHECK(told.out.str().empty());
    CHECK(told.complained("nobody is named"));
  }
}

TEST_CASE("a replay with a condition or a time that is none is a wrong command line") {
  const SmallCounty county;
  auto options = replay_of(county, "desk");
  SECTION("a tier") { options.filter = {{"tiers", "5"}}; }
  SECTION("a channel") { options.filter = {{"channels", "no such/name"}}; }
  SECTION("a time") { options.since = "yesterday"; }
  SECTION("an end") { options.until = "2026-02-30"; }
  Told told;
  CHECK(app::replay(options, told.surroundings) == ExitCode::usage);
}

TEST_CASE("a replay is of a time and of a channel") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = replay_of(county, "desk");
  options.json = true;
  std::size_t expected = 0;
  SECTION("since the beginning") {
    options.since = "2020-01-01";
    expected = 1;
  }
  SECTION("since a time that has not come") { options.since = "2999-01-31T00:00:00Z"; }
  SECTION("until a day that is long over") { options.until = "2020-01-01"; }
  SECTION("until a time that has not come") {
    options.until = "2999-01-31T00:00:00Z";
    expected = 1;
  }
  SECTION("by a channel that it did not come by") { options.filter = {{"channels", "council-in"}}; }
  Told told;
  CHECK(app::replay(options, told.surroundings) == ExitCode::ok);
  CHECK(lines_of(told.out.str()) == expected);
}

TEST_CASE(
    "a replay into a file never overwrites one, is stopped cleanly, and resumes behind the last whole line") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1") + SmallCounty::flag("e2") + SmallCounty::flag("e3")) ==
          ExitCode::ok);
  auto options = replay_of(county, "desk");
  options.file = county.folder.path() / "replay.json";
  Told first;
  REQUIRE(app::replay(options, first.surroundings) == ExitCode::ok);
  CHECK(first.out.str().empty());
  const auto whole = county.folder.read("replay.json");
  REQUIRE(lines_of(whole) == 3);
  Told second;
  CHECK(app::replay(options, second.surroundings) == ExitCode::wrong_input);
  CHECK(second.complained("--resume"));
  CHECK(county.folder.read("replay.json") == whole);

  // What a kill in the middle of the second line leaves behind.
  county.folder.write("replay.json", whole.substr(0, whole.find('\n') + 20));
  options.resume = true;
  Told stopped;
  stopped.stop = true;
  CHECK(app::replay(options, stopped.surroundings) == ExitCode::unavailable);
  CHECK(stopped.complained("--resume"));
  Told resumed;
  CHECK(app::replay(options, resumed.surroundings) == ExitCode::ok);
  CHECK(county.folder.read("replay.json") == whole);
}

TEST_CASE("a replay into a file is counted and asked about on a terminal, and nowhere else") {
  const RunningCounty county;
  REQUIRE(county.publish(SmallCounty::flag("e1") + SmallCounty::flag("e2")) == ExitCode::ok);
  auto options = replay_of(county, "desk");
  options.file = county.folder.path() / "replay.json";
  Told declined("no\n");
  declined.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, declined.surroundings) == ExitCode::usage);
  CHECK(declined.said("would show 2"));
  CHECK(declined.complained("nothing is replayed"));
  CHECK_FALSE(county.folder.has("replay.json"));
  Told agreed("replay\n");
  agreed.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, agreed.surroundings) == ExitCode::ok);
  CHECK(agreed.said("would show 2"));
  const auto whole = county.folder.read("replay.json");
  CHECK(lines_of(whole) == 2);
  // To go on with a file was agreed to before.
  options.resume = true;
  Told resumed("no\n");
  resumed.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, resumed.surroundings) == ExitCode::ok);
  CHECK(county.folder.read("replay.json") == whole);
  options.resume = false;
  options.yes = true;
  options.file = county.folder.path() / "unasked.json";
  Told unasked("no\n");
  unasked.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, unasked.surroundings) == ExitCode::ok);
  CHECK(unasked.out.str().empty());
  CHECK(county.folder.read("unasked.json") == whole);
  // Standard output is not asked about: whoever reads it sees it as it comes.
  options.yes = false;
  options.file.clear();
  Told shown("no\n");
  shown.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, shown.surroundings) == ExitCode::ok);
  CHECK_FALSE(shown.said("would show"));
}

TEST_CASE("a replay into a subscription is previewed, started, delivered as a replay, listed, and ends") {
  const RunningCounty county(app::RunOptions::Parts::all);
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(fakes::eventually([&] { return county.folder.has("out/e1.json"); }));
  auto options = replay_of(county, "");
  options.into = "council-desk";
  options.preview = true;
  Told preview;
  CHECK(app::replay(options, preview.surroundings) == ExitCode::ok);
  CHECK(preview.said("council-desk"));
  CHECK(preview.said("would show 1, withhold 0"));
  options.preview = false;
  Told nobody_there;
  CHECK(app::replay(options, nobody_there.surroundings) == ExitCode::usage);
  CHECK(nobody_there.complained("say --yes, or --preview"));
  Told declined("no\n");
  declined.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, declined.surroundings) == ExitCode::usage);
  CHECK(declined.said("would show 1, withhold 0"));
  CHECK(declined.complained("nothing is replayed"));
  Told started("replay\n");
  started.surroundings.somebody_to_ask = true;
  CHECK(app::replay(options, started.surroundings) == ExitCode::ok);
  CHECK(started.said("would show 1, withhold 0"));
  const auto text = started.out.str();
  const std::string mark = "started as council-desk/";
  const auto at = text.find(mark);
  REQUIRE(at != std::string::npos);
  const auto stream = text.substr(at + mark.size(), text.find(',', at) - at - mark.size());
  CHECK(text.find("remove council-desk/" + stream) != std::string::npos);
  CHECK(fakes::eventually([&] { return county.folder.has("out/e1." + stream + ".json"); }));
  app::SubscriptionsOptions listing;
  listing.config = county.config();
  CHECK(fakes::eventually([&] {
    Told listed;
    return app::subscriptions(listing, listed.surroundings) == ExitCode::ok && !listed.said(stream);
  }));
}

TEST_CASE("a replay that has to wait is listed with what it goes into, and removed by its name") {
  const RunningCounty county;  // nobody is connected for the desk
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  auto options = replay_of(county, "");
  options.into = "council-desk";
  options.json = true;
  options.yes = true;
  Told started;
  REQUIRE(app::replay(options, started.surroundings) == ExitCode::ok);
  CHECK(started.said(R"("replay_of":"council-desk")"));
  app::SubscriptionsOptions listing;
  listing.config = county.config();
  listing.json = true;
  CHECK(fakes::eventually([&] {
    Told listed;
    return app::subscriptions(listing, listed.surroundings) == ExitCode::ok &&
           listed.said(R"("replay_of":"council-desk")");
  }));
  options.into = "nobody";
  Told nobody;
  CHECK(app::replay(options, nobody.surroundings) == ExitCode::not_found);
  const auto text = started.out.str();
  const std::string mark = R"("subscription":")";
  const auto at = text.find(mark) + mark.size();
  listing.action = app::SubscriptionsOptions::Action::remove;
  listing.name = text.substr(at, text.find('"', at) - at);
  listing.by = "an operator";
  listing.reason = "a test";
  Told removed;
  CHECK(app::subscriptions(listing, removed.surroundings) == ExitCode::ok);
}

TEST_CASE("a replay of a hub that does not run says where it was looked for") {
  const SmallCounty county;
  Told told;
  CHECK(app::replay(replay_of(county, "desk"), told.surroundings) == ExitCode::unavailable);
}
