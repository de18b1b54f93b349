#include "broker/care/explained.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/care/history.hpp"
#include "tests/fakes/engine_harness.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

const core::Peer kHospital = EngineHarness::peer(1, "elwick-hospital");
const core::Peer kOperator = EngineHarness::operator_peer(9);

struct Explained {
  EngineHarness hub;

  Sequence publish() { return hub.publish_one(kHospital, item_of(EventSpec{})).sequence; }
  wire::PageT ask(wire::QueryT query) {
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    return history.answer({kOperator, std::move(query), hub.clock.now()});
  }
  static wire::QueryT query(Sequence sequence, const std::string& role) {
    wire::QueryT query;
    query.number = 3;
    query.kind = wire::QueryKind::explain;
    query.sequence = sequence;
    query.role = role;
    return query;
  }
};

std::vector<wire::RowT> of_kind(const wire::PageT& page, const std::string& kind) {
  std::vector<wire::RowT> rows;
  for (const auto& row : page.rows) {
    if (row->kind == kind) rows.push_back(*row);
  }
  return rows;
}

}  // namespace

TEST_CASE("each agency that holds the role is explained, and one alone where it is named") {
  Explained past;
  const auto sequence = past.publish();
  const auto page = past.ask(Explained::query(sequence, "school-pastoral"));
  CHECK(page.number == 3);
  const auto agencies = of_kind(page, "agency");
  REQUIRE(agencies.size() == 2);
  CHECK(agencies[0].agency == "holm-school");
  CHECK(agencies[0].state == "shown");
  CHECK(agencies[0].rule == "school");
  CHECK(agencies[0].legal_basis == "Children Act 2004 s.10");
  CHECK(agencies[1].agency == "priory-school");
  CHECK(agencies[1].state == "withheld");
  auto query = Explained::query(sequence, "school-pastoral");
  query.agency = "priory-school";
  const auto one = past.ask(query);
  CHECK(of_kind(one, "agency").size() == 1);
  REQUIRE(of_kind(one, "rule").size() == 1);
  CHECK(of_kind(one, "rule")[0].reason.find("(pupil)") != std::string::npos);
  const auto fields = of_kind(one, "field");
  CHECK(std::ranges::all_of(fields, [](const auto& row) { return row.state == "withheld"; }));
}

TEST_CASE("a role that no agency holds is explained for an operator who asks in it") {
  Explained past;
  const auto page = past.ask(Explained::query(past.publish(), "auditor"));
  REQUIRE(of_kind(page, "agency").size() == 1);
  CHECK(page.rows[0]->agency.empty());
  CHECK(page.rows[0]->state == "shown");
}

TEST_CASE("an explanation goes on page by page and says the same") {
  Explained past;
  auto query = Explained::query(past.publish(), "school-pastoral");
  const auto whole = past.ask(query);
  REQUIRE(whole.rows.size() > 6);
  CHECK_FALSE(whole.more);
  std::vector<std::string> parts;
  query.rows_max = 3;
  for (bool more = true; more;) {
    const auto page = past.ask(query);
    REQUIRE(page.error == wire::ErrorKind::unknown);
    for (const auto& row : page.rows) parts.push_back(row->kind + row->agency + row->rule + row->path);
    more = page.more;
    query.after = page.next_after;
  }
  REQUIRE(parts.size() == whole.rows.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& row = *whole.rows[i];
    CHECK(parts[i] == row.kind + row.agency + row.rule + row.path);
  }
}

TEST_CASE("another policy is explained in place of the one that decides, and its fault is told") {
  Explained past;
  auto query = Explained::query(past.publish(), "school-pastoral");
  query.policy = R"([[rule]]
name = "draft"
role = "school-pastoral"
types = ["admission"]
show = ["occurred_at"]
legal_basis = "a draft"
)";
  const auto page = past.ask(query);
  REQUIRE(page.error == wire::ErrorKind::unknown);
  CHECK(page.rows[0]->rule == "draft");
  CHECK(page.rows[0]->policy_version == 0);
  query.policy += "[[rule]\n";
  const auto faulty = past.ask(query);
  CHECK(faulty.error == wire::ErrorKind::invalid);
  CHECK(faulty.rows.empty());
  query.policy.clear();
  query.role = "nobody";
  CHECK(past.ask(query).error == wire::ErrorKind::not_found);
}

TEST_CASE("what is no event, and an agency that is none, are told") {
  Explained past;
  auto query = Explained::query(past.publish(), "school-pastoral");
  query.sequence = 1;
  CHECK(past.ask(query).error == wire::ErrorKind::not_found);
  query.sequence = 4711;
  CHECK(past.ask(query).error == wire::ErrorKind::not_found);
  query = Explained::query(past.publish(), "school-pastoral");
  query.agency = "nobody";
  CHECK(past.ask(query).error == wire::ErrorKind::not_found);
}
