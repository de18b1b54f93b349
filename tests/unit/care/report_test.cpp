#include "broker/care/report.hpp"

#include <catch2/catch.hpp>

#include "broker/care/history.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "tests/fakes/engine_harness.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kCamhs = EngineHarness::peer(3, "fenbrook-camhs");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kDesk = "council-duty-desk";
constexpr std::int64_t kDayMs = 86'400'000;
const core::Quarter kQuarter{2026, 1};

core::HubRules wider_county() {
  auto rules = EngineHarness::county();
  for (auto& agency : rules.agencies) {
    for (const auto type :
         {event::EventType::referral, event::EventType::referral_update, event::EventType::review})
      agency.may_publish.push_back(type);
  }
  return rules;
}

/// A hub in the first quarter of 2026, and questions for its figures.
struct Past {
  EngineHarness hub{wider_county()};

  Past() { hub.subscribe(kCouncil, kDesk, "social-care-duty"); }

  wire::PublishOutcomeT publish(const event::EventT& event, const core::Peer& peer = kHospital) {
    return hub.publish_one(peer, item_of(event, peer.connection == 1 ? "elwick-adt" : ""));
  }
  Sequence admit(int child, std::int64_t occurred_at_us = 0) {
    EventSpec spec;
    spec.child = child;
    spec.occurred_at_us = occurred_at_us;
    return publish(make_event(spec)).sequence;
  }
  event::EventT referral(int child, const std::string& number) {
    EventSpec spec;
    spec.type = event::EventType::referral;
    spec.child = child;
    auto event = make_event(spec);
    event.referral->number = number;
    return event;
  }
  void refer(int child, const std::string& number) {
    CHECK(publish(referral(child, number)).outcome == wire::Outcome::receipt);
  }
  void update(int child, const std::string& number, event::ReferralStatus status) {
    EventSpec spec;
    spec.child = child;
    spec.agency = "fenbrook-camhs";
    auto event = make_event(spec);
    event.type = event::EventType::referral_update;
    event.admission.reset();
    event.referral_update = std::make_unique<event::ReferralUpdateT>();
    event.referral_update->number = number;
    event.referral_update->status = status;
    CHECK(publish(event, kCamhs).outcome == wire::Outcome::receipt);
  }
  void flag(int child, event::FlagStatus status) {
    EventSpec spec;
    spec.type = event::EventType::safeguarding_flag;
    spec.child = child;
    spec.agency = "northmarch-council";
    auto event = make_event(spec);
    event.safeguarding_flag->status = status;
    CHECK(publish(event, kCouncil).outcome == wire::Outcome::receipt);
  }
  void pass_days(std::int64_t days) {
    hub.clock.set({hub.clock.now().us + days * kDayMs * kMillisecondUs});
    hub.step();
  }
  void end_quarter() {
    hub.clock.set(kQuarter.until());
    hub.step();
  }

  wire::QueryT question(std::uint64_t definition, const core::Quarter& quarter = kQuarter) {
    wire::QueryT query;
    query.number = 4;
    query.kind = wire::QueryKind::report;
    query.first_at = quarter.from().us;
    query.size = definition;
    query.by = "an auditor";
    query.reason = "the board's quarter";
    return query;
  }
  /// As the server has it made: asked, on record, counted in parts, and handed to the engine.
  wire::PageT report(std::uint64_t definition = 1, const core::Quarter& quarter = kQuarter) {
    hub.asks.clear();
    auto refused = hub.send(kOperator, question(definition, quarter));
    if (hub.asks.empty()) return std::move(frames_of<wire::PageT>(refused).at(0));
    const auto ask = hub.asks.front();
    auto page = counted(ask);
    core::Decision decision;
    REQUIRE(hub.engine->end_report(ask, std::move(page), hub.clock.now(), decision));
    hub.step();
    REQUIRE(decision.sends.size() == 1);
    const auto* sent = wire::GetFrame(decision.sends.front().frame.data())->message_as_Page();
    REQUIRE(sent != nullptr);
    return *std::unique_ptr<wire::PageT>(sent->UnPack());
  }
  wire::PageT counted(const core::Ask& ask) {
    REQUIRE(hub.state->flush());
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    return history.answer(ask);
  }
  wire::ErasedT erase(int child) {
    wire::EraseT frame;
    frame.person = "nhs:" + test_nhs_number(child);
    frame.reason = "asked for by the family";
    frame.by = "A Person";
    return hub.erase(kOperator, std::move(frame));
  }
};

std::uint64_t figure(const wire::PageT& page, const std::string& group, const std::string& name,
                     const std::string& by = {}, const std::string& kind = "figure") {
  for (const auto& row : page.rows) {
    if (row->kind == kind && row->state == group && row->text == name && row->agency == by)
      return row->pending;
  }
  return 0;
}

std::size_t rows_of(const wire::PageT& page, const std::string& kind) {
  return static_cast<std::size_t>(
      std::count_if(page.rows.begin(), page.rows.end(), [&](const auto& row) { return row->kind == kind; }));
}

std::string text_of_figures(const wire::PageT& page) {
  std::vector<core::Figure> figures;
  for (const auto& row : page.rows) {
    if (row->kind == "figure") figures.push_back({row->state, row->text, row->agency, row->pending});
  }
  return core::figures_text(std::move(figures));
}

/// A quarter with something in every group.
void live_through_a_quarter(Past& past) {
  const auto now = past.hub.clock.now().us;
  past.admit(1, now - 90 * kSecondUs);
  past.admit(2, now - 10 * kSecondUs);
  EventSpec twice;
  twice.child = 3;
  twice.id = "the same one";
  const auto same = make_event(twice);
  past.publish(same);
  for (int again = 0; again < 3; ++again) CHECK(past.publish(same).outcome == wire::Outcome::duplicate);
  auto wrong = make_event({});
  wrong.type = event::EventType::crisis_contact;  // without its payload
  CHECK(past.publish(wrong).outcome == wire::Outcome::refused);
  const auto given_up = past.admit(4);
  past.hub.nak(kCouncil, kDesk, given_up, ledger::NakKind::rejected);
  wire::HandleDeadLetterT again;
  again.number = 1;
  again.action = wire::DeadLetterAction::send_again;
  again.subscription = kDesk;
  again.sequence = given_up;
  again.by = "o.perator";
  again.reason = "their table is mended";
  past.hub.send(kOperator, std::move(again));
  past.hub.ack(kCouncil, kDesk, given_up);
  past.refer(5, "R5");
  past.refer(6, "R6");
  past.pass_days(10);
  past.update(5, "R5", event::ReferralStatus::assessed);
  past.update(6, "R6", event::ReferralStatus::assessed);
  past.flag(5, event::FlagStatus::active);
  past.pass_days(4);
  past.update(5, "R5", event::ReferralStatus::started);
}

}  // namespace

TEST_CASE("a quarter's figures count events, lags, repeats, refusals, dead letters and disclosures") {
  Past past;
  live_through_a_quarter(past);
  past.end_quarter();
  const auto page = past.report();
  REQUIRE(page.error == wire::ErrorKind::unknown);
  CHECK(figure(page, "events", "admission", "elwick-hospital") == 4);
  CHECK(figure(page, "events", "referral", "elwick-hospital") == 2);
  CHECK(figure(page, "events", "referral_update", "fenbrook-camhs") == 3);
  CHECK(figure(page, "entries", "event") == 10);
  CHECK(figure(page, "lag", "04 within 10 minutes") == 1);
  CHECK(figure(page, "lag", "02 within 10 seconds") == 1);
  CHECK(figure(page, "lag", "14 not said") == 8);
  CHECK(figure(page, "lag_seconds", "0 of how many", "elwick-hospital") == 2);
  CHECK(figure(page, "lag_seconds", "1 half, at most", "elwick-hospital") == 10);
  CHECK(figure(page, "lag_seconds", "4 longest", "elwick-hospital") == 90);
  CHECK(figure(page, "repeats", "elwick-adt", "elwick-hospital") == 3);
  CHECK(figure(page, "entries", "refusal") == 1);
  CHECK(figure(page, "dead_letters", "test", kDesk) == 1);
  CHECK(figure(page, "dead_letters_handled", "sent again", kDesk) == 1);
  CHECK(figure(page, "disclosures", "Children Act 2004 s.10", "social-care-duty") == 7);
  CHECK(figure(page, "disclosures_again", "Children Act 2004 s.10", "social-care-duty") == 1);
  CHECK(figure(page, "withheld", "no rule", "social-care-duty") == 3);
  CHECK(figure(page, "acknowledged", "", kDesk) == 1);
  CHECK(figure(page, "conversion", "referrals", "elwick-hospital") == 2);
  CHECK(figure(page, "conversion", "enquiries", "elwick-hospital") == 1);
  CHECK(figure(page, "conversion_per_mille", "enquiries", "elwick-hospital") == 500);
  CHECK(figure(page, "first_help", "2 within 14 days", "fenbrook-camhs") == 2);
  CHECK(figure(page, "first_help_days", "4 longest", "fenbrook-camhs") == 10);
  CHECK(figure(page, "treatment", "2 within 14 days", "fenbrook-camhs") == 1);
  CHECK(figure(page, "treatment_days", "4 longest", "fenbrook-camhs") == 14);
}

TEST_CASE("a report is written down when it is first made, and made again it is the same to the digit") {
  Past past;
  live_through_a_quarter(past);
  past.end_quarter();
  const auto first = past.report();
  REQUIRE(first.rows.at(0)->state == "first");
  CHECK(first.rows[0]->text == "2026-Q1, definition 1");
  const auto written = past.hub.entries(storage::EntryKind::report);
  REQUIRE(written.size() == 1);
  CHECK(written[0].first == first.rows[0]->sequence);
  const auto& entry = entry_of<ledger::ReportT>(written[0].second);
  CHECK(entry.name == "2026-Q1, definition 1");
  CHECK(entry.from_at == kQuarter.from().us);
  CHECK(entry.until_at == kQuarter.until().us);
  CHECK(entry.figures == text_of_figures(first));
  CHECK(entry.by == "operator/an auditor");
  CHECK(entry.reason == "the board's quarter");
  past.admit(7);
  past.pass_days(200);
  past.hub.restart();
  const auto again = past.report();
  CHECK(again.rows.at(0)->state == "again");
  CHECK(again.rows[0]->sequence == written[0].first);
  CHECK(again.rows[0]->by == "operator/an auditor");
  CHECK(text_of_figures(again) == text_of_figures(first));
  CHECK(rows_of(again, "difference") == 0);
  CHECK(past.hub.entries(storage::EntryKind::report).size() == 1);
  past.hub.restart_without_state();
  CHECK(past.report().rows.at(0)->sequence == written[0].first);
}

TEST_CASE("a report that is made again after an erasure states what differs, and the erasures since") {
  Past past;
  live_through_a_quarter(past);
  past.end_quarter();
  const auto first = past.report();
  const auto erased = past.erase(5);
  REQUIRE(erased.events == 4);
  const auto again = past.report();
  CHECK(figure(again, "entries", "event") == 10);
  CHECK(figure(again, "erased", "event") == 4);
  CHECK(figure(again, "events", "referral", "elwick-hospital") == 1);
  CHECK(figure(again, "events", "referral", "elwick-hospital", "difference") == 2);
  CHECK(figure(again, "conversion", "enquiries", "elwick-hospital", "difference") == 1);
  CHECK(rows_of(again, "erasure") >= 1);
  CHECK(again.rows[0]->dead_letters >= 1);
  for (const auto& row : again.rows) {
    if (row->kind != "difference") continue;
    INFO(row->state);
    CHECK(core::figure_group(row->state)->opened);
  }
  // What was written down stays as it was.
  CHECK(entry_of<ledger::ReportT>(past.hub.entries(storage::EntryKind::report)[0].second).figures ==
        text_of_figures(first));
}

TEST_CASE("a quarter in which nothing came is reported, too, and again") {
  Past past;
  const core::Quarter empty{2001, 2};
  const auto first = past.report(1, empty);
  CHECK(first.rows.at(0)->state == "first");
  CHECK(first.rows.size() == 1);
  const auto again = past.report(1, empty);
  REQUIRE(again.error == wire::ErrorKind::unknown);
  CHECK(again.rows.at(0)->sequence == first.rows[0]->sequence);
}

TEST_CASE("a quarter that is not over is provisional and not written down") {
  Past past;
  past.admit(1);
  const auto page = past.report();
  CHECK(page.rows.at(0)->state == "provisional");
  CHECK(figure(page, "events", "admission", "elwick-hospital") == 1);
  CHECK(past.hub.entries(storage::EntryKind::report).empty());
}

TEST_CASE("two definitions have a report each, and count waits by the senders' times or the hub's") {
  Past past;
  auto asked = past.referral(1, "R1");
  const auto day_us = kDayMs * kMillisecondUs;
  asked.referral->requested_at =
      std::make_unique<event::Time>(past.hub.clock.now().us - 20 * day_us, 0, event::TimePrecision::day);
  CHECK(past.publish(asked).outcome == wire::Outcome::receipt);
  past.pass_days(5);
  past.update(1, "R1", event::ReferralStatus::assessed);
  past.end_quarter();
  const auto senders = past.report(1);
  const auto hubs = past.report(2);
  CHECK(figure(senders, "first_help_days", "4 longest", "fenbrook-camhs") == 25);
  CHECK(figure(hubs, "first_help_days", "4 longest", "fenbrook-camhs") == 5);
  CHECK(past.hub.entries(storage::EntryKind::report).size() == 2);
  CHECK(past.report(2).rows.at(0)->state == "again");
  CHECK(past.report(3).error == wire::ErrorKind::invalid);
}

TEST_CASE("a referral converts once, and a wait ends with its first assessment alone") {
  Past past;
  past.refer(1, "R1");
  past.flag(1, event::FlagStatus::active);
  past.flag(1, event::FlagStatus::active);
  past.flag(2, event::FlagStatus::active);
  past.pass_days(3);
  past.update(1, "R1", event::ReferralStatus::assessed);
  past.update(1, "R1", event::ReferralStatus::assessed);
  past.update(1, "another", event::ReferralStatus::assessed);
  past.end_quarter();
  const auto page = past.report();
  CHECK(figure(page, "conversion", "enquiries", "elwick-hospital") == 1);
  CHECK(figure(page, "conversion", "enquiries, referral not on record", "northmarch-council") == 1);
  CHECK(figure(page, "first_help", "1 within 7 days", "fenbrook-camhs") == 1);
  CHECK(figure(page, "first_help", "referral not on record", "fenbrook-camhs") == 1);
}

TEST_CASE("an entry belongs to the quarter in which the hub received it, to the microsecond") {
  Past past;
  past.hub.clock.set({kQuarter.until().us - 1});
  past.admit(1);
  past.end_quarter();
  past.admit(2);
  CHECK(figure(past.report(), "events", "admission", "elwick-hospital") == 1);
  CHECK(past.report(1, {2026, 2}).rows.at(0)->state == "provisional");
  CHECK(figure(past.report(1, {2026, 2}), "events", "admission", "elwick-hospital") == 1);
}

TEST_CASE("only operators ask for a report, with a reason, of a whole quarter, and it is on record") {
  Past past;
  const auto refusal = [&](const core::Peer& peer, wire::QueryT query) {
    auto received = past.hub.send(peer, std::move(query));
    auto pages = frames_of<wire::PageT>(received);
    return pages.empty() ? wire::ErrorKind::unknown : pages[0].error;
  };
  CHECK(refusal(kCouncil, past.question(1)) == wire::ErrorKind::denied);
  auto silent = past.question(1);
  silent.reason.clear();
  CHECK(refusal(kOperator, silent) == wire::ErrorKind::invalid);
  auto crooked = past.question(1);
  ++crooked.first_at;
  CHECK(refusal(kOperator, crooked) == wire::ErrorKind::invalid);
  const auto refused = past.hub.entries(storage::EntryKind::access);
  for (const auto& [sequence, body] : refused)
    CHECK(entry_of<ledger::AccessT>(body).verb == "refused report");
  past.report();
  const auto access = past.hub.entries(storage::EntryKind::access);
  REQUIRE(access.size() == refused.size() + 1);
  CHECK(entry_of<ledger::AccessT>(access.back().second).verb == "report");
  CHECK(entry_of<ledger::AccessT>(access.back().second).what == "2026-Q1, definition 1");
}

TEST_CASE("a code that could name somebody is not written into a report") {
  Past past;
  wire::PublishItemT item;
  item.channel = "elwick-adt";
  item.problem = std::make_unique<wire::ProblemT>();
  item.problem->code = "Ada Marlow " + test_nhs_number(1);
  item.problem->place = "PID-3";
  item.problem->text = "cannot be mapped";
  past.hub.publish_one(kHospital, std::move(item));
  past.end_quarter();
  const auto page = past.report();
  CHECK(figure(page, "refusals", "(another form)", "elwick-hospital") == 1);
  CHECK(text_of_figures(page).find("Marlow") == std::string::npos);
}

TEST_CASE("the figures from a ledger on disk are those from memory, made in parts of a bounded size") {
  Past past;
  live_through_a_quarter(past);
  for (int more = 0; more < 300; ++more) past.admit(10 + more % 7);
  past.end_quarter();
  const auto from_memory = past.report();
  REQUIRE(past.hub.state->flush());
  const TemporaryDirectory data;
  auto opened = storage::RocksLedger::open(data.path());
  REQUIRE(opened);
  const auto all = past.hub.ledger.read(1, 100'000, 1U << 30U);
  REQUIRE(all);
  bool durable = false;
  opened->ledger->append(*all, [&](Result<Sequence> done) { durable = done.has_value(); });
  REQUIRE(opened->ledger->close());
  REQUIRE(durable);
  opened = storage::RocksLedger::open(data.path());
  REQUIRE(opened);
  const care::PastReader reader(*opened->ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                                past.hub.rules.agencies);
  auto query = past.question(1);
  query.at = kQuarter.until().us;
  care::Report report(reader, query);
  std::size_t parts = 0;
  Result<bool> done = false;
  while (done && !*done) {
    done = report.advance();
    ++parts;
  }
  REQUIRE(done);
  CHECK(parts > all->size() / care::Report::kLooksOfPart);
  const auto page = report.take();
  CHECK(page.rows.at(0)->state == "again");
  CHECK(text_of_figures(page) == text_of_figures(from_memory));
  CHECK(rows_of(page, "difference") == 0);
  REQUIRE(opened->ledger->close());
}

TEST_CASE("a word that a refused asker typed as a role is in no report, and takes no real figure's place") {
  Past past;
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.agency = "elwick-hospital";
  query.reason = "complaint 12";
  constexpr int kRoles = 400;
  for (int i = 0; i < kRoles; ++i) {
    query.role = "typed-" + std::to_string(i);
    auto peer = kCouncil;
    peer.client = "client-" + std::to_string(i);
    past.hub.send(peer, query);
  }
  query.role = "social-care-duty";
  past.hub.send(kCouncil, std::move(query));
  past.end_quarter();
  const auto page = past.report();
  CHECK(figure(page, "questions", "refused timeline", "(refused)") == kRoles);
  CHECK(figure(page, "questions", "timeline", "social-care-duty") == 1);
  CHECK(text_of_figures(page).find("typed") == std::string::npos);
}
