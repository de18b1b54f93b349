#include "adapters/channel/door_report.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/answering_client.hpp"

using namespace carehub;
using namespace carehub::adapters;
using wire::TurnedAway;

namespace {

struct Reporting {
  std::shared_ptr<fakes::AnsweringClient> hub = std::make_shared<fakes::AnsweringClient>();
  std::shared_ptr<DoorReport> report =
      std::make_shared<DoorReport>("console", *hub, [](const std::function<void()>& work) { work(); });

  void reply(wire::ErrorKind error) {
    wire::HandledT handled;
    handled.error = error;
    hub->reply(client::Reply(handled));
  }
};

TurnedAwayCounts counts(std::uint64_t passwords, std::uint64_t without_role) {
  return {{TurnedAway::wrong_password, passwords}, {TurnedAway::no_role, without_role}};
}

}  // namespace

TEST_CASE("who signs in is told to the hub, and is in by its word alone") {
  Reporting reporting;
  for (const auto& [error, in] :
       {std::pair(wire::ErrorKind::unknown, true), {wire::ErrorKind::overloaded, false}}) {
    std::optional<bool> kept;
    reporting.report->tell(wire::DoorEvent::signed_in, "account-jo", [&kept](bool said) { kept = said; });
    CHECK_FALSE(kept);
    const auto asked = reporting.hub->asked<wire::TellDoorT>();
    CHECK(asked.door == "console");
    REQUIRE(asked.events.size() == 1);
    CHECK(asked.events[0]->event == wire::DoorEvent::signed_in);
    CHECK(asked.events[0]->account == "account-jo");
    CHECK(asked.events[0]->cause == TurnedAway::unknown);
    reporting.reply(error);
    CHECK(kept == in);
  }
  std::optional<bool> kept;
  reporting.report->tell(wire::DoorEvent::signed_in, "account-jo", [&kept](bool said) { kept = said; });
  reporting.hub->reply(fail(ErrorKind::unavailable, "the hub has gone"));
  CHECK(kept == false);
}

TEST_CASE("how many were turned away is told by cause, each once, and again where the hub did not keep it") {
  Reporting reporting;
  reporting.report->turned_away({});
  CHECK(reporting.hub->waiting() == 0);
  reporting.report->turned_away(counts(3, 1));
  reporting.report->turned_away(counts(4, 1));  // while the first is on its way
  REQUIRE(reporting.hub->waiting() == 1);
  reporting.reply(wire::ErrorKind::unavailable);
  reporting.report->turned_away(counts(5, 1));
  const auto asked = reporting.hub->asked<wire::TellDoorT>();
  REQUIRE(asked.events.size() == 2);
  CHECK(asked.events[0]->cause == TurnedAway::wrong_password);
  CHECK(asked.events[0]->count == 5);
  CHECK(asked.events[0]->account.empty());
  CHECK(asked.events[1]->cause == TurnedAway::no_role);
  CHECK(asked.events[1]->count == 1);
  reporting.reply(wire::ErrorKind::unknown);
  reporting.report->turned_away(counts(5, 1));
  CHECK(reporting.hub->waiting() == 0);
  reporting.report->turned_away(counts(6, 1));
  CHECK(reporting.hub->asked<wire::TellDoorT>().events.at(0)->count == 1);
}
