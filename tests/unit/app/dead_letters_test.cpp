#include "tests/fakes/awaited.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;
using Action = app::DeadLetterOptions::Action;

namespace {

app::DeadLetterOptions options_of(const SmallCounty& county, Action action = Action::list,
                                  Sequence sequence = 0) {
  app::DeadLetterOptions options;
  options.config = county.config();
  options.action = action;
  options.subscription = action == Action::list ? "" : "council-desk";
  options.sequence = sequence;
  options.by = "an operator";
  options.reason = "a test";
  return options;
}

/// The desk's system, which refuses the first delivery for good and says nothing to later ones.
struct RefusingDesk {
  explicit RefusingDesk(const RunningCounty& county) : hub(county.connect("council")) {
    client::SubscribeOptions wanted;
    wanted.name = "council-desk";
    wanted.role = "desk";
    const auto subscribed = hub->subscribe(
        wanted,
        [this](std::vector<wire::DeliveryT> deliveries) {
          for (auto& each : deliveries) {
            if (arrived.count() == 0) {
              hub->answer("council-desk", {{each.sequence, ledger::NakKind::rejected, "http 422", 0}});
            }
            arrived.give(each.sequence);
          }
        },
        [](const Error&) {});
    if (!subscribed) FAIL(subscribed.error().text);
  }
  ~RefusingDesk() { hub->close(); }

  fakes::Awaited<Sequence> arrived;
  std::unique_ptr<client::HubClient> hub;
};

std::string listed(const SmallCounty& county, bool json = false) {
  auto options = options_of(county);
  options.json = json;
  Told told;
  CHECK(app::dead_letters(options, told.surroundings) == ExitCode::ok);
  return told.out.str();
}

}  // namespace

TEST_CASE("a delivery that is refused for good is listed, sent again on request, and can be given up") {
  const RunningCounty county;
  CHECK(listed(county) == "no dead letters\n");
  CHECK(listed(county, true).empty());
  const RefusingDesk desk(county);
  REQUIRE(county.publish(SmallCounty::flag("e1")) == ExitCode::ok);
  const Sequence sequence = desk.arrived.get();
  REQUIRE(fakes::eventually([&] { return listed(county).find("council-desk  ") != std::string::npos; }));
  CHECK(listed(county, true).find(R"("subscription":"council-desk","type":"safeguarding_flag")") !=
        std::string::npos);
  CHECK(listed(county).find("http 422") != std::string::npos);

  SECTION("sent again, it arrives again") {
    Told told;
    CHECK(app::dead_letters(options_of(county, Action::send_again, sequence), told.surroundings) ==
          ExitCode::ok);
    CHECK(told.said("done, recorded as entry "));
    CHECK(desk.arrived.get(1) == sequence);
  }
  SECTION("shown, it is what the role may see") {
    auto options = options_of(county, Action::show, sequence);
    options.subscription = "council-desk";
    options.role = "auditor";
    Told told;
    CHECK(app::dead_letters(options, told.surroundings) == ExitCode::ok);
    CHECK(told.said("safeguarding_flag"));
    Told denied;
    options.role = "desk";  // its rule is about the council's own residents, and the asker is no council
    CHECK(app::dead_letters(options, denied.surroundings) == ExitCode::denied);
    Told gone;
    ++options.sequence;
    CHECK(app::dead_letters(options, gone.surroundings) == ExitCode::not_found);
  }
  SECTION("all that match are sent again, and none that does not") {
    auto options = options_of(county, Action::send_again);
    options.subscription.clear();
    options.all = true;
    options.code = "another reason";
    Told none;
    CHECK(app::dead_letters(options, none.surroundings) == ExitCode::ok);
    options.code = "http 422";
    options.type = "safeguarding_flag";
    options.since = "2020-01-01T00:00:00Z";
    Told told;
    CHECK(app::dead_letters(options, told.surroundings) == ExitCode::ok);
    CHECK(desk.arrived.get(1) == sequence);
    Told wrong;
    options.since = "yesterday";
    CHECK(app::dead_letters(options, wrong.surroundings) == ExitCode::wrong_input);
  }
  SECTION("discarded, it is gone, and cannot be discarded twice") {
    auto options = options_of(county, Action::discard, sequence);
    options.json = true;
    Told told;
    CHECK(app::dead_letters(options, told.surroundings) == ExitCode::ok);
    CHECK(told.said(R"("recorded_as":)"));
    CHECK(listed(county) == "no dead letters\n");
    Told again;
    CHECK(app::dead_letters(options, again.surroundings) == ExitCode::not_found);
  }
}

TEST_CASE("a type that no event has is no condition: nothing is handled") {
  const SmallCounty county;
  auto options = options_of(county, Action::discard);
  options.all = true;
  options.type = "safegarding_flag";
  Told told;
  CHECK(app::dead_letters(options, told.surroundings) == ExitCode::usage);
  CHECK(told.complained("`safeguarding_flag`"));
}

TEST_CASE("dead letters of a hub that does not run cannot be read") {
  const SmallCounty county;
  Told told;
  CHECK(app::dead_letters(options_of(county), told.surroundings) == ExitCode::unavailable);
}
