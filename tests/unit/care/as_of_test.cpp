#include "broker/care/as_of.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "broker/care/filing.hpp"
#include "broker/care/history.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/delivery_records.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kCouncil = EngineHarness::peer(2, "northmarch-council");
const core::Peer kOperator = EngineHarness::operator_peer(9);
constexpr const char* kAgency = "northmarch-council";
constexpr const char* kDesk = "council-duty-desk";

struct Past {
  EngineHarness hub;

  Sequence publish(int child, event::EventType type = event::EventType::admission) {
    EventSpec spec;
    spec.child = child;
    spec.type = type;
    return hub.publish_one(kHospital, item_of(spec)).sequence;
  }
  wire::PageT as_of(Timestamp at, int child = 1, Sequence after = 0, const std::string& agency = kAgency) {
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    wire::QueryT query;
    query.number = 5;
    query.kind = wire::QueryKind::as_of;
    query.person = "nhs:" + test_nhs_number(child);
    query.agency = agency;
    query.at = at.us;
    query.after = after;
    return history.answer({kOperator, std::move(query)});
  }
  Timestamp now() { return hub.clock.now(); }
  /// Time goes on: what is done from now on is later than what was asked about.
  Timestamp later() {
    const auto at = now();
    hub.pass_ms(1'000);
    return at;
  }
};

std::vector<std::string> kinds_of(const wire::PageT& page, const std::string& subscription = kDesk) {
  std::vector<std::string> kinds;
  for (const auto& row : page.rows) {
    if (row->subscription == subscription) kinds.push_back(std::to_string(row->sequence) + " " + row->kind);
  }
  return kinds;
}

using Kinds = std::vector<std::string>;

std::string told(Sequence sequence, const char* kind) { return std::to_string(sequence) + " " + kind; }

}  // namespace

TEST_CASE("an acknowledgement after the moment shows as not acknowledged by then") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto before = past.later();
  const auto event = past.publish(1);
  const auto offered = past.later();
  past.hub.ack(kCouncil, kDesk, event);
  const auto acked = past.later();
  CHECK(past.as_of(before).rows.empty());
  const auto then = past.as_of(offered);
  CHECK(kinds_of(then) == Kinds{told(event, "offered")});
  CHECK(then.rows[0]->since == 0);
  const auto since = past.as_of(acked);
  REQUIRE(kinds_of(since) == Kinds{told(event, "acknowledged")});
  CHECK(since.rows[0]->since > since.rows[0]->appended_at - 1);
  CHECK(since.rows[0]->agency == kAgency);
  CHECK(since.rows[0]->role == "social-care-duty");
  CHECK(since.rows[0]->attempts == 1);
  CHECK_FALSE(since.rows[0]->legal_basis.empty());
  CHECK_FALSE(since.rows[0]->rule.empty());
}

TEST_CASE("what an agency had been offered is the view that it saw, and no other agency's") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  past.publish(1);
  past.publish(2);
  const auto page = past.as_of(past.now());
  REQUIRE(page.error == wire::ErrorKind::unknown);
  REQUIRE(page.rows.size() == 1);
  const auto* view = verified_event(page.rows[0]->view);
  REQUIRE(view != nullptr);
  CHECK(view->admission() != nullptr);
  CHECK((view->person() == nullptr || view->person()->birth_date() == nullptr));
  CHECK(past.as_of(past.now(), 1, 0, "elwick-hospital").rows.empty());
  CHECK(past.as_of(past.now(), 3).error == wire::ErrorKind::not_found);
}

TEST_CASE("what was withheld is told with the policy and the rule that decided") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto event = past.publish(1, event::EventType::movement);
  const auto page = past.as_of(past.now());
  REQUIRE(kinds_of(page) == Kinds{told(event, "withheld")});
  const auto& row = *page.rows[0];
  CHECK(row.rule == "no rule");
  CHECK(row.role == "social-care-duty");
  CHECK(row.policy_version != 0);
  CHECK(row.view.empty());
}

TEST_CASE("a policy that has changed since decides nothing about what was seen then") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto event = past.publish(1);
  const auto then = past.later();
  const auto seen = past.as_of(then);
  REQUIRE(kinds_of(seen) == Kinds{told(event, "offered")});
  auto& text = past.hub.rules.policy_text;
  const auto place = text.find("social-care-duty");
  REQUIRE(place != std::string::npos);
  text.replace(place, std::string("social-care-duty").size(), "social-care-other");
  past.hub.restart();
  const auto again = past.as_of(past.now());
  REQUIRE(kinds_of(again) == Kinds{told(event, "offered")});
  CHECK(again.rows[0]->view == seen.rows[0]->view);
  CHECK(again.rows[0]->policy_version == seen.rows[0]->policy_version);
}

TEST_CASE("a mark and dissent of later change nothing about what was seen then") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto says = [&past](event::Restriction mark) {
    auto event = make_event(EventSpec{});
    event.admission->reason_text = "a reason in prose";
    if (mark != event::Restriction::unknown) event.restrictions = {mark};
    const auto sequence = past.hub.publish_one(kHospital, item_of(event)).sequence;
    past.later();
    return sequence;
  };
  const auto plain = says(event::Restriction::unknown);
  const auto marked = says(event::Restriction::adopted);
  const auto after = says(event::Restriction::unknown);
  const auto sealed = says(event::Restriction::sealed_record);
  const auto page = past.as_of(past.now());
  CHECK(kinds_of(page) == Kinds{told(sealed, "withheld"), told(after, "offered"), told(marked, "offered"),
                                told(plain, "offered")});
  const auto prose_in = [&](Sequence sequence) {
    const auto row = std::ranges::find(page.rows, sequence, [](const auto& one) { return one->sequence; });
    const auto* view = verified_event((*row)->view);
    REQUIRE(view != nullptr);
    return view->admission() != nullptr && view->admission()->reason_text() != nullptr;
  };
  CHECK(prose_in(plain));
  CHECK_FALSE(prose_in(marked));
  CHECK_FALSE(prose_in(after));
}

TEST_CASE("what was seen under an agreement is told after it has lapsed, and so is why nothing was seen") {
  Past past;
  auto& text = past.hub.rules.policy_text;
  text.insert(text.find("role = \"social-care-duty\""), "agreement = \"Desk\"\n");
  text +=
      "[[agreement]]\nname = \"Desk\"\nparties = [\"elwick-hospital\", \"northmarch-council\"]\n"
      "signatories = [\"A Guardian\"]\nsigned = 2025-01-01\nfrom = 2025-01-01\nuntil = 2026-03-01\n"
      "purposes = [\"care\"]\n";
  past.hub.restart();
  const auto seen = past.publish(1);
  const auto then = past.as_of(past.later());
  REQUIRE(kinds_of(then) == Kinds{told(seen, "offered")});
  REQUIRE_FALSE(then.rows[0]->view.empty());
  past.hub.pass_ms(86'400'000);
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  past.hub.nak(kCouncil, kDesk, seen, ledger::NakKind::failed);
  past.hub.pass_ms(600'000);
  const auto again = past.as_of(past.now());
  REQUIRE(kinds_of(again) == Kinds{told(seen, "offered")});
  CHECK(again.rows[0]->view == then.rows[0]->view);
  const auto later = past.publish(2);
  const auto withheld = past.as_of(past.now(), 2);
  REQUIRE(kinds_of(withheld) == Kinds{told(later, "withheld")});
  CHECK(withheld.rows[0]->rule == "agreement Desk has lapsed");
}

TEST_CASE("an agency that has other codes now is told of what it saw by those of then") {
  Past past;
  const auto school = EngineHarness::peer(3, "holm-school");
  past.hub.subscribe(school, "holm-notices", "school-pastoral");
  const auto event = past.publish(1);
  const auto then = past.later();
  const auto seen = past.as_of(then, 1, 0, "holm-school");
  REQUIRE(kinds_of(seen, "holm-notices") == Kinds{told(event, "offered")});
  REQUIRE_FALSE(seen.rows[0]->view.empty());
  past.hub.rules.agencies[3].codes = {"900303"};
  past.hub.restart();
  const auto now = past.as_of(past.now(), 1, 0, "holm-school");
  REQUIRE(kinds_of(now, "holm-notices") == Kinds{told(event, "offered")});
  CHECK(now.rows[0]->view == seen.rows[0]->view);
  CHECK(now.rows[0]->rule == "school");
  CHECK(now.rows[0]->text.empty());
}

TEST_CASE("an attempt under other codes is a decision of its own") {
  Past past;
  past.hub.rules.policy_text += R"(
[[rule]]
name = "any school"
role = "school-pastoral"
types = ["admission"]
show = ["person.birth_date"]
legal_basis = "Children Act 2004 s.10"
)";
  past.hub.restart();
  const auto school = EngineHarness::peer(3, "holm-school");
  past.hub.subscribe(school, "holm-notices", "school-pastoral");
  const auto event = past.publish(1);
  past.hub.rules.agencies[3].codes = {"900303"};
  past.hub.restart();
  past.hub.subscribe(school, "holm-notices", "school-pastoral");
  past.hub.nak(school, "holm-notices", event, ledger::NakKind::failed);
  past.hub.pass_ms(60'000);
  const auto page = past.as_of(past.now(), 1, 0, "holm-school");
  REQUIRE(kinds_of(page, "holm-notices").size() == 2);
  CHECK(page.rows[0]->rule == "school");
  CHECK(page.rows[1]->rule == "any school");
  CHECK_FALSE(page.rows[1]->view.empty());
  CHECK(page.rows[0]->view != page.rows[1]->view);
}

TEST_CASE("a watch counts for the agency whose it is, and for no other one in the same role") {
  Past past;
  const auto holm = EngineHarness::peer(3, "holm-school");
  const auto priory = EngineHarness::peer(4, "priory-school");
  past.hub.subscribe(holm, "eyes", "school-pastoral", 256, false);
  past.hub.subscribe(kOperator, "eyes", "auditor", 256, false);
  const auto event = past.publish(1);
  past.hub.subscribe(priory, "eyes", "school-pastoral", 256, false);
  const auto told_to = [&](const std::string& agency) { return past.as_of(past.now(), 1, 0, agency); };
  const auto page = told_to("holm-school");
  REQUIRE(kinds_of(page, "~holm-school:eyes@3") == Kinds{told(event, "offered")});
  const auto row = std::ranges::find(page.rows, "~holm-school:eyes@3",
                                     [](const auto& each) { return each->subscription; });
  CHECK((*row)->agency == "holm-school");
  CHECK((*row)->text == "watched");
  CHECK(told_to("priory-school").rows.empty());
  past.hub.rules.agencies[3].roles.clear();
  std::erase_if(past.hub.rules.subscriptions, [](const auto& one) { return one.name == "holm-notices"; });
  past.hub.restart();
  CHECK(kinds_of(told_to("holm-school"), "~holm-school:eyes@3") == Kinds{told(event, "offered")});
}

TEST_CASE("a watch of an old ledger, whose name says nobody, counts for whoever had its role then") {
  Past past;
  const auto event = past.publish(1);
  core::DayKeys keys(*past.hub.state, past.hub.vault);
  ledger::OfferedT offered;
  offered.subscription = "~eyes@3";
  offered.role = "school-pastoral";
  offered.legal_basis = "Children Act 2004 s.10";
  offered.policy_version = past.hub.entries(storage::EntryKind::policy_changed)[0].first;
  offered.runs.push_back(std::make_unique<ledger::OfferedRunT>());
  offered.runs[0]->range = std::make_unique<ledger::Range>(event, event);
  flatbuffers::FlatBufferBuilder builder;
  auto body = core::finish_body(builder, ledger::Offered::Pack(builder, &offered));
  past.hub.state->append({storage::EntryKind::offered, *keys.key(core::kHubPurpose, past.now()), body},
                         past.now());
  past.hub.step();
  past.hub.rules.agencies[4].roles.clear();
  past.hub.rules.agencies[3].roles.push_back("another");
  past.hub.restart();
  for (const auto* agency : {"holm-school", "priory-school"}) {
    const auto page = past.as_of(past.now(), 1, 0, agency);
    REQUIRE(kinds_of(page, "~eyes@3") == Kinds{told(event, "offered")});
  }
  CHECK(kinds_of(past.as_of(past.now()), "~eyes@3").empty());
}

TEST_CASE("what had been offered of an erased entry is told by the placeholder") {
  Past past;
  const auto event = past.publish(1);
  REQUIRE(past.hub.vault.destroy({past.hub.ledger.read(event, 1, 1)->front().header.key_id}));
  care::History history(*past.hub.state, past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                        past.hub.rules.agencies);
  wire::QueryT query;
  query.kind = wire::QueryKind::as_of;
  query.person = "sequence:" + std::to_string(event);
  query.agency = kAgency;
  query.at = past.now().us;
  const auto page = history.answer({kOperator, std::move(query)});
  REQUIRE(page.rows.size() == 1);
  CHECK(page.rows[0]->kind == "erased");
  CHECK(page.rows[0]->text == care::kErasedText);
}

TEST_CASE("an agency that has left is still asked about") {
  Past past;
  past.publish(1);
  std::erase_if(past.hub.rules.agencies, [](const auto& agency) { return agency.id == "priory-school"; });
  past.hub.restart();
  CHECK(past.as_of(past.now(), 1, 0, "priory-school").error == wire::ErrorKind::unknown);
}

TEST_CASE("a subscription that is gone is still told of") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto event = past.publish(1);
  wire::HandleSubscriptionT frame;
  frame.action = wire::SubscriptionAction::remove;
  frame.subscription = kDesk;
  frame.by = "a tester";
  frame.reason = "it is over";
  past.hub.send(kOperator, std::move(frame));
  past.later();
  CHECK(kinds_of(past.as_of(past.now())) == Kinds{told(event, "offered")});
}

TEST_CASE("a delivery that was given up and sent again late shows both, each with its own moment") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto event = past.publish(1);
  past.hub.nak(kCouncil, kDesk, event, ledger::NakKind::rejected);
  const auto given_up = past.later();
  wire::HandleDeadLetterT frame;
  frame.action = wire::DeadLetterAction::send_again;
  frame.subscription = kDesk;
  frame.sequence = event;
  frame.reason = "mended";
  past.hub.send(kOperator, std::move(frame));
  past.hub.ack(kCouncil, kDesk, event);
  CHECK(kinds_of(past.as_of(given_up)) == Kinds{told(event, "offered")});
  const auto page = past.as_of(past.now());
  REQUIRE(kinds_of(page) == Kinds{told(event, "offered"), told(event, "acknowledged")});
  CHECK(page.rows[1]->text == "offered again");
  CHECK(page.rows[0]->appended_at <= given_up.us);
  CHECK(page.rows[1]->appended_at > given_up.us);
}

TEST_CASE("what an agency had been offered goes on page by page, newest first") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  Kinds expected;
  for (std::size_t i = 0; i < care::AsOf::kEventsMax + 3; ++i) {
    expected.insert(expected.begin(), told(past.publish(1), "offered"));
  }
  const auto at = past.now();
  Kinds found;
  Sequence after = 0;
  int pages = 0;
  do {
    const auto page = past.as_of(at, 1, after);
    REQUIRE(page.error == wire::ErrorKind::unknown);
    for (auto& kind : kinds_of(page)) found.push_back(std::move(kind));
    after = page.more ? page.next_after : 0;
    ++pages;
  } while (after != 0);
  CHECK(found == expected);
  CHECK(pages == 2);
}

TEST_CASE("an agency that never was is said, and not that nothing had been offered to it") {
  Past past;
  past.publish(1);
  CHECK(past.as_of(past.now(), 1, 0, "holm-shcool").error == wire::ErrorKind::not_found);
  CHECK(past.as_of(past.now(), 1, 0, "priory-school").error == wire::ErrorKind::unknown);
}

TEST_CASE("what had been offered, acknowledged, withheld and given up names the entries that say so") {
  Past past;
  past.hub.subscribe(kCouncil, kDesk, "social-care-duty");
  const auto taken = past.publish(1);
  past.hub.ack(kCouncil, kDesk, taken);
  const auto lost = past.publish(1);
  past.hub.nak(kCouncil, kDesk, lost, ledger::NakKind::rejected);
  const auto hidden = past.publish(1, event::EventType::movement);
  const auto page = past.as_of(past.now());
  REQUIRE(kinds_of(page) ==
          Kinds{told(hidden, "withheld"), told(lost, "offered"), told(taken, "acknowledged")});
  const auto kind_of = [&](Sequence entry) { return past.hub.ledger.read(entry, 1, 1)->front().header.kind; };
  using storage::EntryKind;
  const auto withheld = care::filing_from(page.rows[0]->state);
  CHECK(kind_of(withheld.decided_in) == EntryKind::withheld);
  CHECK(withheld.acknowledged_in == 0);
  const auto given_up = care::filing_from(page.rows[1]->state);
  CHECK(kind_of(given_up.decided_in) == EntryKind::offered);
  CHECK(kind_of(given_up.given_up_in) == EntryKind::dead_letter);
  CHECK(page.rows[1]->text == "given up");
  const auto acked = care::filing_from(page.rows[2]->state);
  CHECK(kind_of(acked.decided_in) == EntryKind::offered);
  CHECK(kind_of(acked.acknowledged_in) == EntryKind::acked);
  const auto at = past.hub.ledger.read(acked.acknowledged_in, 1, 1)->front().header.appended_at;
  CHECK(at.us == page.rows[2]->since);
  CHECK(acked.record == 0);
}
