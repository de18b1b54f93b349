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
  SECTION("mended, the desk gets what stands in for it, and the file's faults are named") {
    auto options = options_of(county, Action::mend, sequence);
    options.event = (county.folder.path() / "mended.json").string();
    const auto mend = [&](const std::string& text) {
      county.folder.write("mended.json", text);
      Told told;
      const auto code = app::dead_letters(options, told.surroundings);
      return std::pair(code, told.out.str() + told.err.str());
    };
    const auto says = [](const std::pair<ExitCode, std::string>& done, const std::string& text) {
      return done.first == ExitCode::wrong_input &&
             done.second.find("mended.json: " + text) != std::string::npos;
    };
    CHECK(says(mend(R"({"type":"safeguarding_flag",)"
                    "\n}"),
               "the JSON is not well-formed at line 2"));
    CHECK(says(mend("[]"), "is not an object"));
    CHECK(says(mend(R"({"type":"safeguarding_flag","person":{"shoe_size":"4"}})"),
               "unknown field `shoe_size` in `person`"));
    auto other = SmallCounty::flag("e2");
    other.replace(other.find("9990000018"), 10, "9990000026");
    CHECK(says(mend(other), "person: "));
    Told show;
    auto shown = options_of(county, Action::show, sequence);
    shown.role = "auditor";
    shown.json = true;
    REQUIRE(app::dead_letters(shown, show.surroundings) == ExitCode::ok);
    auto text = show.out.str();
    text.replace(text.find("raised"), 6, "closed");
    const auto done = mend(text);
    CHECK(done.first == ExitCode::ok);
    CHECK(done.second.find(" stands in for entry " + std::to_string(sequence)) != std::string::npos);
    CHECK(desk.arrived.get(1) > sequence);
    CHECK(listed(county) == "no dead letters\n");
    const auto again = mend(text);
    CHECK(again.first == ExitCode::wrong_input);
    CHECK(again.second.find("it is mended already") != std::string::npos);
  }
  SECTION("shown, it is what the role may see") {
    auto options = options_of(county, Action::show, sequence);
    options.subscription = "council-desk";
    options.role = "auditor";
    Told told;
    CHECK(app::dead_letters(options, told.surroundings) == ExitCode::ok);
    CHECK(told.said("safeguarding_flag"));
    Told as_its_desk;
    options.role = "desk";  // its rule is about the residents of the council, whose subscription it is
    CHECK(app::dead_letters(options, as_its_desk.surroundings) == ExitCode::ok);
    CHECK(as_its_desk.said("safeguarding_flag"));
    CHECK_FALSE(as_its_desk.said("9990000018"));
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
    CHECK(again.complained("entry " + std::to_string(sequence) + ", dead letter of `council-desk`"));
    CHECK(again.complained("carehub dead-letters hub.toml"));
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
