#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;
using Parts = app::RunOptions::Parts;

TEST_CASE("a file that is dropped on one side arrives as a view on the other, and both ends stop when told") {
  RunningCounty county(Parts::all);
  // The hub answers before its channels have made their folders.
  REQUIRE(fakes::eventually([&] { return county.folder.has("in"); }));
  county.folder.write("in/x.json", SmallCounty::flag("e1"));
  std::set<std::string> arrived;
  REQUIRE(fakes::eventually(
      [&] {
        arrived = county.folder.has("out") ? county.folder.files("out") : std::set<std::string>();
        return arrived.size() == 1 && arrived.begin()->ends_with(".json");
      },
      30'000));
  const std::string view = county.folder.read("out/" + *arrived.begin());
  CHECK(view.find("Marlow") != std::string::npos);
  CHECK(view.find("9990000018") == std::string::npos);
  CHECK(county.stop() == ExitCode::ok);
  CHECK(county.told.said("Small listens on ipc://"));
  CHECK(county.told.said("council-in: in from council"));
  CHECK(county.told.out.str().ends_with("ready\n"));
  CHECK_FALSE(county.folder.has("data/hub.sock"));
}

TEST_CASE("a shadow beside a live channel writes down what that one sends, and sends nothing") {
  RunningCounty county(Parts::all, [](const SmallCounty& before) {
    before.folder.write(
        "hub.toml",
        before.folder.read("hub.toml") +
            "[[channel]]\nname = \"council-desk-new\"\nagency = \"council\"\ndirection = \"out\"\nrole = "
            "\"desk\"\n"
            "transport = { kind = \"folder\", directory = \"new\", name = \"{id}.json\", create = true }\n"
            "shadow = \"shadow\"\n");
    std::filesystem::create_directory(before.folder.path() / "shadow");
  });
  REQUIRE(fakes::eventually([&] { return county.folder.has("in"); }));
  county.folder.write("in/x.json", SmallCounty::flag("e1"));
  std::string line;
  std::set<std::string> sent;
  const auto both = [&] {
    const auto files = county.folder.files("shadow");
    line = files.empty() ? std::string() : county.folder.read("shadow/" + *files.begin());
    sent = county.folder.has("out") ? county.folder.files("out") : std::set<std::string>();
    return line.ends_with("}\n") && sent.size() == 1 && sent.begin()->ends_with(".json");
  };
  REQUIRE(fakes::eventually(both));
  const std::size_t bytes = county.folder.read("out/" + *sent.begin()).size();
  CHECK(line.find(R"("type":"safeguarding_flag")") != std::string::npos);
  CHECK(line.find(R"("file":")" + *sent.begin() + '"') != std::string::npos);
  CHECK(line.find("\"bytes\":" + std::to_string(bytes) + ",") != std::string::npos);
  CHECK(line.find("Marlow") != std::string::npos);
  CHECK(line.find("9990000018") == std::string::npos);  // nor may its role see more than the live one's
  CHECK(county.stop() == ExitCode::ok);
  CHECK(county.told.said("council-desk-new: out to council as desk"));
  CHECK(county.told.said("a shadow: sends nothing, writes to "));
  CHECK_FALSE(county.folder.has("new"));
}

TEST_CASE("a second hub on the same data is told so, and does the first no harm") {
  RunningCounty county;
  Told second;
  CHECK(app::run({county.config(), Parts::broker, {}}, second.surroundings) == ExitCode::storage);
  CHECK(second.complained("in use by another hub"));
  CHECK(second.out.str().empty());
  CHECK(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  CHECK(county.stop() == ExitCode::ok);
}

TEST_CASE("what was published before a stop is there after the next start") {
  RunningCounty first;
  REQUIRE(first.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  REQUIRE(first.stop() == ExitCode::ok);
  Told again;
  std::thread hub([&] { (void)app::run({first.config(), Parts::broker, {}}, again.surroundings); });
  const auto running = [&] {
    Told status;
    return app::status({first.config(), false}, status.surroundings) == ExitCode::ok;
  };
  CHECK(fakes::eventually(running));
  Told told(SmallCounty::flag("e1"));
  app::PublishOptions options;
  options.config = first.config();
  options.file = "-";
  CHECK(app::publish(options, told.surroundings) == ExitCode::ok);
  CHECK(told.said("e1  duplicate"));
  again.stop = true;
  hub.join();
}

TEST_CASE("a channel that is not there is named with the nearest, and nothing starts") {
  const SmallCounty county;
  Told told;
  CHECK(app::run({county.config(), Parts::adapter, {"council-inn"}}, told.surroundings) ==
        ExitCode::not_found);
  CHECK(told.complained("Did you mean `council-in`?"));
  CHECK_FALSE(county.folder.has("data"));
}

TEST_CASE("a wrong configuration starts nothing and lists every fault") {
  const SmallCounty county;
  county.change("pattern = \"*.json\"", "patern = \"*.json\"");
  county.change("role = \"desk\"", "role = \"desc\"");
  Told told;
  CHECK(app::run({county.config(), Parts::all, {}}, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.complained("patern"));
  CHECK(told.complained("`desk`"));
  CHECK(told.complained("2 faults"));
  CHECK(told.out.str().empty());
  CHECK_FALSE(county.folder.has("data"));
}

TEST_CASE("when a channel cannot start, the hub that was started for it stops again") {
  const SmallCounty county;
  county.change("directory = \"in\", pattern = \"*.json\", create = true", "directory = \"in\"");
  Told told;
  CHECK(app::run({county.config(), Parts::all, {}}, told.surroundings) != ExitCode::ok);
  CHECK(told.complained("council-in"));
  CHECK(told.out.str().empty());
  CHECK_FALSE(county.folder.has("data/hub.sock"));
}
