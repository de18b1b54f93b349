#include "broker/care/linked_records.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/care/filing.hpp"
#include "broker/care/history.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/core/asked_text.hpp"
#include "broker/core/disclosure.hpp"
#include "tests/fakes/erasing.hpp"

using namespace carehub;
using namespace carehub::fakes;

namespace {

using Sequences = std::vector<Sequence>;
const auto kKinds = {wire::QueryKind::timeline, wire::QueryKind::as_of};

struct Linking : Erasing {
  wire::PageT ask(const core::Peer& peer, wire::QueryKind kind, const std::string& person,
                  const std::function<void(wire::QueryT&)>& change = {}) {
    REQUIRE(hub.state->flush());
    care::History history(*hub.state, hub.ledger, *hub.sealer, hub.store, hub.vault, hub.rules.agencies);
    history.use_policy(*core::Disclosure::parse_policy(hub.rules.policy_text, "policy.toml", 1));
    wire::QueryT query;
    query.kind = kind;
    query.person = person;
    query.role = peer.is_operator ? "auditor" : "social-care-duty";
    if (kind == wire::QueryKind::as_of) query.agency = "northmarch-council";
    query.at = hub.clock.now().us;
    if (change) change(query);
    return history.answer({peer, std::move(query)});
  }
  /// A question that the ledger remembers.
  void ask_on_record(const core::Peer& peer, const std::string& person, const std::string& reason) {
    wire::QueryT query;
    query.kind = wire::QueryKind::timeline;
    query.person = person;
    query.role = peer.is_operator ? "auditor" : "social-care-duty";
    query.reason = reason;
    hub.send(peer, std::move(query));
  }
};

/// The events that are told of, in the order of the rows, or those of one record alone.
Sequences told(const wire::PageT& page, std::size_t record = 0) {
  Sequences sequences;
  for (const auto& row : page.rows) {
    const bool of_record = record == 0 || care::filing_from(row->state).record == record;
    if (of_record && (sequences.empty() || sequences.back() != row->sequence))
      sequences.push_back(row->sequence);
  }
  return sequences;
}

Sequences newest_first(Sequences all) {
  std::ranges::sort(all, std::greater());
  return all;
}

std::string says_so(std::size_t record, Sequence entry) {
  return "record " + std::to_string(record) + " is this child, too: entry " + std::to_string(entry) +
         " says so";
}

std::vector<std::string> reasons_of(const wire::PageT& page) {
  std::vector<std::string> reasons;
  for (const auto& row : page.rows) {
    if (row->kind == "access") reasons.push_back(row->reason);
  }
  return reasons;
}

}  // namespace

TEST_CASE("an auditor who asks about one record is answered from all that are the same child, by number") {
  Linking past;
  Sequence said = 0;
  int under = 1;
  SECTION("a merge under the one who is asked for") { said = past.link(1, 2); }
  SECTION("a merge under the other alone") { said = past.link(under = 2, 1); }
  SECTION("a link under the other alone") { said = past.link(under = 2, 1, false, true); }
  SECTION("one that was taken back and made again") {
    past.of_one.push_back(past.link(1, 2));
    past.of_two.push_back(past.link(2, 1, true));
    said = past.link(under = 2, 1);
  }
  (under == 1 ? past.of_one : past.of_two).push_back(said);
  auto both = past.of_one;
  both.insert(both.end(), past.of_two.begin(), past.of_two.end());
  for (const auto kind : kKinds) {
    const auto page = past.ask(past.asker, kind, Linking::name(1));
    REQUIRE(page.error == wire::ErrorKind::unknown);
    CHECK(told(page) == newest_first(both));
    CHECK(told(page, 1) == newest_first(past.of_one));
    CHECK(told(page, 2) == newest_first(past.of_two));
    CHECK(page.text == says_so(2, said));
    const auto other = past.ask(past.asker, kind, Linking::name(2));
    CHECK(told(other) == newest_first(both));
    CHECK(told(other, 1) == newest_first(past.of_two));
  }
}

TEST_CASE("a link that was taken back is not followed, under whomever that is filed") {
  Linking past;
  SECTION("under the same") {
    past.link(1, 2);
    past.link(1, 2, true);
  }
  SECTION("under the other") {
    past.link(1, 2);
    past.link(2, 1, true);
  }
  SECTION("both under the other") {
    past.link(2, 1, false, true);
    past.link(2, 1, true, true);
  }
  for (const auto kind : kKinds) {
    const auto page = past.ask(past.asker, kind, Linking::name(1));
    CHECK(page.text.empty());
    for (const auto sequence : told(page))
      CHECK(std::ranges::find(past.of_two, sequence) == past.of_two.end());
    for (const auto& row : page.rows) CHECK(care::filing_from(row->state).record == 0);
  }
}

TEST_CASE("an agency is answered from the one record that it asked about") {
  Linking past;
  past.link(2, 1);
  const auto page = past.ask(past.council, wire::QueryKind::timeline, Linking::name(1));
  CHECK(told(page) == newest_first(past.of_one));
  CHECK(page.text.empty());
  for (const auto& row : page.rows) CHECK(row->state.empty());
}

TEST_CASE("a record is joined by way of a third, and by a number that no record has") {
  Linking past;
  SECTION("a record between them") {
    past.link(2, 3);
    past.link(3, 1);
    past.publish(3);
    CHECK(past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1)).text.find("record 3") !=
          std::string::npos);
  }
  SECTION("a number that only the links have") {
    past.link(2, 7);
    past.link(1, 7);
  }
  const auto all = told(past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1)));
  for (const auto sequence : past.of_two) CHECK(std::ranges::find(all, sequence) != all.end());
}

TEST_CASE("several records go on page by page, in one order and with the same numbers") {
  Linking past;
  past.link(2, 1);
  past.link(1, 3);
  for (int round = 0; round < 5; ++round)
    for (const int child : {3, 1, 2}) past.publish(child);
  for (const auto kind : kKinds) {
    const auto whole = past.ask(past.asker, kind, Linking::name(1));
    REQUIRE_FALSE(whole.more);
    Sequences all;
    Sequence after = 0;
    std::vector<std::string> states;
    for (int pages = 0;; ++pages) {
      REQUIRE(pages < 100);
      const auto page = past.ask(past.asker, kind, Linking::name(1), [&](wire::QueryT& query) {
        query.after = after;
        query.rows_max = 3;
      });
      REQUIRE(page.error == wire::ErrorKind::unknown);
      for (const auto sequence : told(page)) all.push_back(sequence);
      for (const auto& row : page.rows) states.push_back(row->state);
      if (!page.more) break;
      after = page.next_after;
    }
    CHECK(all == told(whole));
    CHECK(std::ranges::is_sorted(all, std::greater()));
    REQUIRE(states.size() == whole.rows.size());
    for (std::size_t at = 0; at < states.size(); ++at) CHECK(states[at] == whole.rows[at]->state);
  }
}

TEST_CASE("a person's trail counts for each of their records, and says for which") {
  Linking past;
  const auto trail = [&](int child) {
    return past.ask(past.asker, wire::QueryKind::trail, Linking::name(child));
  };
  past.ask_on_record(past.asker, Linking::name(1), "before the link");
  past.link(2, 1);
  past.ask_on_record(past.asker, Linking::name(1), "while they are linked");
  past.ask_on_record(past.council, Linking::name(1), "the council's own");
  const auto linked = trail(2);
  CHECK(reasons_of(linked) ==
        std::vector<std::string>{"before the link", "while they are linked", "the council's own"});
  CHECK(linked.rows.front()->text == "one person, record 2");
  CHECK(linked.text.find("record 2 is this child, too") != std::string::npos);
  past.link(1, 2, true);
  past.ask_on_record(past.asker, Linking::name(1), "when they are not any more");
  const auto apart = trail(2);
  CHECK(reasons_of(apart) == std::vector<std::string>{"while they are linked"});
  CHECK(std::ranges::any_of(apart.rows, [](const auto& row) {
    return row->reason == "while they are linked" && row->text.find("taken back since") != std::string::npos;
  }));
  CHECK(reasons_of(trail(1)).size() == 4);
}

TEST_CASE("what had been offered to every agency is told with whose each was, in one answer") {
  Linking past;
  past.link(1, 2);
  const auto every = [](wire::QueryT& query) { query.agency = core::kEveryAgency; };
  const auto page = past.ask(past.asker, wire::QueryKind::as_of, Linking::name(2), every);
  REQUIRE(page.error == wire::ErrorKind::unknown);
  std::size_t of_council = 0;
  for (const auto& row : page.rows) {
    CHECK_FALSE(row->agency.empty());
    if (row->agency == "northmarch-council") ++of_council;
  }
  CHECK(of_council == past.ask(past.asker, wire::QueryKind::as_of, Linking::name(2)).rows.size());
  CHECK(of_council < page.rows.size());
}

TEST_CASE("no more than so many records are told as one child, and that there are more is said") {
  Linking past;
  const int all = static_cast<int>(care::LinkedRecords::kRecordsMax) + 4;
  for (int child = 3; child <= all; ++child) {
    past.publish(child);
    past.link(child, 1);
  }
  past.link(2, 1);
  const auto page = past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1));
  CHECK(page.text.find("more records may be this child") != std::string::npos);
  std::size_t highest = 0;
  for (const auto& row : page.rows) highest = std::max(highest, care::filing_from(row->state).record);
  CHECK(highest == care::LinkedRecords::kRecordsMax);
}

TEST_CASE("what a merged and erased child leaves is no record, and a rebuilt state has the same rows") {
  Linking past;
  past.link(2, 1);
  past.link(1, 3);
  past.publish(3);
  past.erase(Linking::name(2));
  past.check_rebuilt();
  const auto again = past.publish(1);
  const auto page = past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1));
  CHECK(told(page) == Sequences{again});
  CHECK(page.text.empty());
}

TEST_CASE("a state that an older version began says that it does not know of every link") {
  Linking past;
  past.link(2, 1);
  CHECK(past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1)).text.find("rebuild") ==
        std::string::npos);
  REQUIRE(past.hub.store.apply({{care::row_keys::links_kept(), std::nullopt}}, past.hub.store.applied()));
  CHECK(past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1)).text.find("run carehub rebuild") !=
        std::string::npos);
}

TEST_CASE("an event whose identifiers are of two children is pointed out") {
  Linking past;
  auto event = make_event(EventSpec{});
  auto local = std::make_unique<event::IdentifierT>();
  local->value = "H-77";
  EventSpec of_second;
  of_second.child = 2;
  auto second = make_event(of_second);
  second.person->local_identifiers.push_back(std::make_unique<event::IdentifierT>(*local));
  past.hub.publish_one(past.hospital, item_of(second));
  event.person->local_identifiers.push_back(std::move(local));
  const auto mixed = past.hub.publish_one(past.hospital, item_of(event)).sequence;
  const auto page = past.ask(past.asker, wire::QueryKind::timeline, Linking::name(1));
  CHECK(page.text.starts_with("the identifiers in " + std::to_string(mixed) + " belong to more than one"));
}
