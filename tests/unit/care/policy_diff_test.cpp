#include "broker/care/policy_diff.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/care/history.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kOperator = EngineHarness::operator_peer(9);

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  if (at == std::string::npos) FAIL("the text does not hold: " + what);
  return text.replace(at, what.size(), by);
}

struct Past {
  EngineHarness hub;

  Sequence admit(int child, const std::string& school_urn = "900101") {
    EventSpec spec;
    spec.child = child;
    spec.school_urn = school_urn;
    return hub.publish_one(kHospital, item_of(spec)).sequence;
  }
  const std::string& text() const { return hub.rules.policy_text; }
  wire::QueryT query(const std::string& after, const std::string& before = {}) const {
    wire::QueryT query;
    query.number = 3;
    query.kind = wire::QueryKind::policy_diff;
    query.old_policy = before;
    query.policy = after;
    query.first_at = 1;
    return query;
  }
  wire::PageT ask(wire::QueryT query) {
    REQUIRE(hub.state->flush());
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(text(), "policy.toml", 1));
    return history.answer({kOperator, std::move(query), hub.clock.now()});
  }
};

std::vector<wire::RowT> of_kind(const wire::PageT& page, const std::string& kind) {
  std::vector<wire::RowT> rows;
  for (const auto& row : page.rows) {
    if (row->kind == kind) rows.push_back(*row);
  }
  return rows;
}

wire::RowT change_of(const wire::PageT& page, const std::string& agency, const std::string& path) {
  for (const auto& row : page.rows) {
    if (row->kind == "change" && row->agency == agency && row->path == path) return *row;
  }
  FAIL("no change of " + path + " for " + agency);
  return {};
}

std::uint64_t pairs(const wire::PageT& page, const std::string& state) {
  for (const auto& row : of_kind(page, "pairs")) {
    if (row.state == state) return row.pending;
  }
  FAIL("no pairs " + state);
  return 0;
}

}  // namespace

TEST_CASE(
    "fields that a role sees more or less of are counted with rules and a first event, without values") {
  Past past;
  const auto first = past.admit(1);
  past.admit(2);
  past.admit(3);
  auto draft = replaced(past.text(), R"("person.nhs_number", "admission", )", R"("person.birth_date", )");
  draft = replaced(draft, "name = \"duty desk\"", "name = \"duty desk of 2027\"");
  const auto page = past.ask(past.query(draft));
  REQUIRE(page.error == wire::ErrorKind::unknown);
  CHECK(page.number == 3);
  CHECK(page.rows.at(0)->kind == "policy_diff");
  CHECK(page.rows[0]->pending == 3);
  CHECK(page.rows[0]->sequence == past.hub.ledger.head());
  const auto number = change_of(page, "northmarch-council", "person.nhs_number");
  CHECK(number.role == "social-care-duty");
  CHECK(number.type == event::EventType::admission);
  CHECK(number.state_before == "shown");
  CHECK(number.state == "withheld");
  CHECK(number.text == "less");
  CHECK(number.pending == 3);
  CHECK(number.sequence == first);
  CHECK(number.rule_before == "duty desk");
  CHECK(number.rule == "duty desk of 2027");
  const auto birth = change_of(page, "northmarch-council", "person.birth_date");
  CHECK(birth.state_before == "withheld");
  CHECK(birth.state == "shown");
  CHECK(birth.text == "more");
  CHECK(of_kind(page, "change").size() == 3);
  CHECK(pairs(page, "more") == 1);
  CHECK(pairs(page, "less") == 1);
  for (const auto& row : page.rows) {
    for (int child = 1; child <= 3; ++child) {
      const auto all = row->text + row->path + row->state + row->rule + row->rule_before + row->reason;
      CHECK(all.find(test_nhs_number(child)) == std::string::npos);
    }
    CHECK(row->view.empty());
  }
}

TEST_CASE("each agency that holds the role is tried by its own relationship to the child") {
  Past past;
  past.admit(1, "900101");
  past.admit(2, "900202");
  past.admit(3, "900202");
  const auto draft = replaced(past.text(), R"(["person.upn", "person.names"])", R"(["person.birth_date"])");
  const auto page = past.ask(past.query(draft));
  CHECK(change_of(page, "holm-school", "person.birth_date").pending == 1);
  CHECK(change_of(page, "priory-school", "person.birth_date").pending == 2);
  CHECK(pairs(page, "more") == 2);
  CHECK(pairs(page, "less") == 0);
}

TEST_CASE("an event that is newly seen, or seen no more, is said as such, and so is a role of one policy") {
  Past past;
  const auto only = past.admit(1);
  auto draft = replaced(past.text(), "tiers = [4]", "tiers = [3]");
  draft += R"([[rule]]
name = "health visitors"
role = "health-visitor"
types = ["admission"]
show = ["person.birth_date"]
legal_basis = "a draft"
)";
  const auto page = past.ask(past.query(draft));
  const auto gone = change_of(page, "march-commissioner", "");
  CHECK(gone.state_before == "shown");
  CHECK(gone.state == "withheld");
  CHECK(gone.text == "less");
  CHECK(gone.rule_before == "tier 4");
  CHECK(gone.rule.empty());
  CHECK(gone.sequence == only);
  // Nobody holds the role: an operator who asks in it.
  const auto fresh = change_of(page, "", "");
  CHECK(fresh.role == "health-visitor");
  CHECK(fresh.text == "more");
  CHECK(fresh.rule_before.empty());
  CHECK(fresh.rule == "health visitors");
  CHECK(change_of(page, "", "person.birth_date").text == "more");
  REQUIRE(of_kind(page, "role").size() == 1);
  CHECK(of_kind(page, "role")[0].role == "health-visitor");
  CHECK(of_kind(page, "role")[0].state == "new");
  CHECK(pairs(page, "more") == 1);
  CHECK(pairs(page, "less") == 1);
}

TEST_CASE("a party of one policy's agreements alone is named") {
  Past past;
  past.admit(1);
  const auto draft = past.text() + R"([[agreement]]
name = "Northmarch"
parties = ["northmarch-council", "elwick-hospital"]
signatories = ["A Name, Northmarch"]
purposes = ["safeguarding"]
signed = 2026-01-01
from = 2026-01-01
until = 2027-01-01
)";
  const auto page = past.ask(past.query(draft));
  REQUIRE(page.error == wire::ErrorKind::unknown);
  const auto parties = of_kind(page, "party");
  REQUIRE(parties.size() == 2);
  CHECK(parties[0].agency == "elwick-hospital");
  CHECK(parties[0].state == "new");
  CHECK(of_kind(page, "change").empty());
  CHECK(of_kind(past.ask(past.query({}, draft)), "party").at(0).state == "old");
}

TEST_CASE("either policy may be the one that decides, and what one way is more is less the other way") {
  Past past;
  past.admit(1);
  const auto draft = replaced(past.text(), R"(["person.upn", "person.names"])", R"(["person.birth_date"])");
  CHECK(change_of(past.ask(past.query(draft)), "holm-school", "person.birth_date").text == "more");
  CHECK(change_of(past.ask(past.query({}, draft)), "holm-school", "person.birth_date").text == "less");
  const auto both = past.ask(past.query(draft, draft));
  CHECK(of_kind(both, "change").empty());
  CHECK(pairs(both, "more") == 0);
  CHECK(both.rows.at(0)->pending == 1);
}

TEST_CASE("only events since the time are tried, and none that came after the asking began") {
  Past past;
  past.admit(1);
  past.hub.pass_ms(60'000);
  const auto since = past.hub.clock.now();
  const auto second = past.admit(2);
  auto query = past.query(replaced(past.text(), R"("person.nhs_number", "admission", )", ""));
  query.first_at = since.us;
  const auto page = past.ask(query);
  CHECK(page.rows.at(0)->pending == 1);
  CHECK(change_of(page, "northmarch-council", "person.nhs_number").sequence == second);
  REQUIRE(past.hub.state->flush());
  care::PastReader reader(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                          past.hub.rules.agencies);
  reader.use_policy(*core::Disclosure::parse_policy(past.text(), "policy.toml", 1));
  care::PolicyDiff diff(reader, query, past.hub.clock.now());
  auto done = diff.advance();
  REQUIRE(done);
  REQUIRE_FALSE(*done);
  past.admit(3);
  while (done && !*done) done = diff.advance();
  REQUIRE(done);
  CHECK(diff.take().rows.at(0)->pending == 1);
}

TEST_CASE("many events are tried in parts of a bounded size, and say the same") {
  Past past;
  constexpr std::uint64_t kEvents = 600;
  for (std::uint64_t i = 0; i < kEvents; ++i) past.admit(1 + static_cast<int>(i % 7));
  REQUIRE(past.hub.state->flush());
  care::PastReader reader(past.hub.ledger, *past.hub.sealer, past.hub.store, past.hub.vault,
                          past.hub.rules.agencies);
  reader.use_policy(*core::Disclosure::parse_policy(past.text(), "policy.toml", 1));
  const auto draft = replaced(past.text(), "show = [\"*\"]", "show = [\"person.birth_date\"]");
  care::PolicyDiff diff(reader, past.query(draft), past.hub.clock.now());
  std::size_t parts = 0;
  Result<bool> done = false;
  while (done && !*done) {
    done = diff.advance();
    ++parts;
  }
  REQUIRE(done);
  CHECK(parts > past.hub.ledger.head() / care::PolicyDiff::kLooksOfPart);
  const auto page = diff.take();
  CHECK(page.rows.at(0)->pending == kEvents);
  CHECK(change_of(page, "", "person.nhs_number").pending == kEvents);
}

TEST_CASE("what was erased and what does not open is counted, and the others are tried") {
  Past past;
  past.admit(1);
  const auto second = past.admit(2);
  wire::EraseT frame;
  frame.person = "nhs:" + test_nhs_number(1);
  frame.reason = "asked for by the family";
  frame.by = "A Person";
  REQUIRE(past.hub.erase(kOperator, std::move(frame)).events == 1);
  auto again = past.hub.ledger.read(second, 1, 1);
  REQUIRE(again);
  // Sealed for another place.
  auto& moved = again->front();
  moved.header.sequence = past.hub.ledger.head() + 1;
  moved.leaf = storage::leaf_hash(moved.header, moved.nonce, moved.ciphertext);
  past.hub.ledger.append(*again, [](const Result<Sequence>& done) { REQUIRE(done); });
  const auto page = past.ask(past.query(replaced(past.text(), R"("person.nhs_number", "admission", )", "")));
  INFO(page.text);
  REQUIRE(page.error == wire::ErrorKind::unknown);
  CHECK(page.rows.at(0)->pending == 1);
  CHECK(page.rows.at(0)->dead_letters == 1);
  CHECK(page.rows.at(0)->attempts == 1);
  CHECK(change_of(page, "northmarch-council", "person.nhs_number").pending == 1);
}

TEST_CASE(
    "a policy that does not check is refused before anything is tried, with its place and the right word") {
  Past past;
  past.admit(1);
  const auto wrong = replaced(past.text(), "\"discharge\", \"correction\", \"referral\"", "\"dischrge\"");
  const auto page = past.ask(past.query(wrong));
  CHECK(page.error == wire::ErrorKind::invalid);
  CHECK(page.rows.empty());
  CHECK(page.text.find("the new policy:5:") != std::string::npos);
  CHECK(page.text.find("discharge") != std::string::npos);
  CHECK(past.ask(past.query({}, wrong)).text.find("the old policy:5:") != std::string::npos);
}

TEST_CASE(
    "roles without number are cut at a bound, and it is said; so are changes, whose totals stay whole") {
  Past past;
  past.admit(1);
  std::string draft = past.text();
  constexpr std::size_t kRoles = 1500;
  for (std::size_t i = 0; i < kRoles; ++i) {
    const auto name = "drafted-" + std::to_string(i);
    draft += "[[rule]]\nname = \"" + name + "\"\nrole = \"" + name +
             "\"\ntypes = [\"admission\"]\nshow = [\"*\"]\nlegal_basis = \"a draft\"\n";
  }
  const auto page = past.ask(past.query(draft));
  REQUIRE(page.error == wire::ErrorKind::unknown);
  const auto changes = of_kind(page, "change");
  const auto events = static_cast<std::size_t>(
      std::ranges::count_if(changes, [](const auto& row) { return row.path.empty(); }));
  CHECK(events == care::PolicyDiff::kEventChangesMax);
  CHECK(changes.size() - events == care::PolicyDiff::kFieldChangesMax);
  CHECK(of_kind(page, "role").size() == care::PolicyDiff::kNamesMax);
  std::map<std::string, std::uint64_t> cut;
  for (const auto& row : of_kind(page, "cut")) cut[row.text] = row.pending;
  // The county's own roles make five pairs, the auditor's, whom no agency is, among them.
  CHECK(cut["pairs"] == kRoles + 5 - care::PolicyDiff::kPairsMax);
  CHECK(cut["role"] == kRoles - care::PolicyDiff::kNamesMax);
  CHECK(cut["fields"] > 0);
  // Of the county's own roles the auditor alone comes before the drafted ones, and sees what they saw.
  CHECK(cut["events"] == care::PolicyDiff::kPairsMax - 1 - care::PolicyDiff::kEventChangesMax);
  CHECK(pairs(page, "more") > 1000);
}
