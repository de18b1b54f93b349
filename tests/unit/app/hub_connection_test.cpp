#include "broker/app/hub_connection.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "tests/fakes/temporary_folder.hpp"

using namespace carehub;

namespace {

struct Streams {
  explicit Streams(const std::string& input = {}) : in(input) {}
  std::istringstream in;
  std::ostringstream out, err;
  app::Surroundings surroundings{in, out, err, [](std::chrono::milliseconds) { return false; }};
};

server::HubConfig config_with(const std::vector<core::Agency>& agencies) {
  server::HubConfig config;
  config.rules.agencies = agencies;
  auto document = ConfigDocument::parse(
      "[[rule]]\nname='x'\nrole='desk'\ntypes=['admission']\nshow=['person.names']\nlegal_basis='x'\n"
      "[[rule]]\nname='y'\nrole='auditor'\ntypes=['*']\nshow=['*']\nlegal_basis='x'\n",
      "policy.toml");
  config.policy = core::Policy::read(document, 1);
  return config;
}

core::Agency agency(const std::string& id, const std::vector<std::string>& roles) {
  core::Agency agency;
  agency.id = id;
  agency.roles = roles;
  return agency;
}

}  // namespace

TEST_CASE("an identifier may come from standard input, so that no shell remembers it") {
  Streams streams("  nhs:9990000018 \nmore\n");
  CHECK(*app::read_person({"-", std::nullopt}, streams.surroundings) == "nhs:9990000018");
}

TEST_CASE("an identifier without its kind is refused, and not repeated") {
  Streams streams;
  const auto person = app::read_person({"9990000018", std::nullopt}, streams.surroundings);
  REQUIRE_FALSE(person);
  CHECK(person.error().text.find("9990000018") == std::string::npos);
}

TEST_CASE(
    "an option that names nobody is refused, so that no question about one child becomes one about all") {
  const fakes::TemporaryFolder folder;
  folder.write("blank", " \n");
  const auto blank = (folder.path() / "blank").string();
  for (const auto& option : {app::PersonOption{"", std::nullopt}, app::PersonOption{" \t", std::nullopt},
                             app::PersonOption{"-", std::nullopt}, app::PersonOption{std::nullopt, blank},
                             app::PersonOption{std::nullopt, "-"}, app::PersonOption{std::nullopt, ""}}) {
    Streams streams("\n");
    const auto person = app::read_person(option, streams.surroundings);
    REQUIRE_FALSE(person);
    CHECK(person.error().kind == ErrorKind::invalid);
  }
  Streams streams;
  const auto nobody = app::read_person({}, streams.surroundings);
  REQUIRE(nobody);
  CHECK(nobody->empty());
}

TEST_CASE("a role acts for the one agency that has it") {
  const auto config = config_with({agency("a", {"desk"}), agency("b", {})});
  CHECK(*app::acting_agency(config, "desk", "") == "a");
  CHECK(*app::acting_agency(config, "desk", "b") == "b");
  CHECK(app::acting_agency(config, "auditor", "")->empty());
}

TEST_CASE("a role that several agencies have needs one to be named") {
  const auto config = config_with({agency("a", {"desk"}), agency("b", {"desk"})});
  const auto acting = app::acting_agency(config, "desk", "");
  REQUIRE_FALSE(acting);
  CHECK(acting.error().text.find("a, b") != std::string::npos);
}

TEST_CASE("a misspelt role or agency names the nearest") {
  const auto config = config_with({agency("council", {"desk"})});
  CHECK(app::acting_agency(config, "desc", "").error().text.find("`desk`") != std::string::npos);
  CHECK(app::acting_agency(config, "desk", "counsil").error().text.find("`council`") != std::string::npos);
}

TEST_CASE("a hub that is not there is unavailable, with the place that was tried") {
  server::HubConfig config;
  config.listen = {"ipc:///nonexistent/hub.sock"};
  const auto hub = app::connect(config, "test", "");
  REQUIRE_FALSE(hub);
  CHECK(hub.error().kind == ErrorKind::unavailable);
  CHECK(hub.error().text.find("/nonexistent/hub.sock") != std::string::npos);
}

TEST_CASE("filter words become a filter or say what is wrong") {
  const auto filter = app::filter_of({{"types", "admission"}, {"tiers", "4"}, {"age_max", "18"}});
  REQUIRE(filter);
  CHECK(filter->tiers == std::vector<std::uint8_t>{4});
  CHECK(filter->age_max_years == 17);
  CHECK(app::filter_of({{"types", "admision"}}).error().text.find("`admission`") != std::string::npos);
  CHECK_FALSE(app::filter_of({{"tiers", "5"}}));
  CHECK_FALSE(app::filter_of({{"age_max", "0"}}));
}
