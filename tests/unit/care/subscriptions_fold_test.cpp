#include "broker/care/subscriptions_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/care/row_keys.hpp"
#include "broker/core/rules.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/packed_table.hpp"

using namespace carehub;
using namespace carehub::care;
using ledger::SubscriptionChange;

namespace {

constexpr std::int64_t kDayUs = 86'400 * kSecondUs;

struct Folded {
  storage::MemoryStateStore store;
  Rows rows{store};

  void change(const std::string& name, SubscriptionChange change, const std::string& by = "client a",
              std::uint8_t tier = 4) {
    ledger::SubscriptionChangedT entry;
    entry.name = name;
    entry.change = change;
    entry.agency = "northmarch-council";
    entry.role = "social-care-duty";
    entry.by = by;
    entry.filter = std::make_unique<ledger::FilterT>();
    entry.filter->tiers = {tier};
    REQUIRE(fold_subscription_changed(FoldEntry(), *fakes::PackedTable(entry), rows));
  }
  void policy(Sequence sequence, const std::string& text) {
    ledger::PolicyChangedT entry;
    entry.text = text;
    FoldEntry header;
    header.sequence = sequence;
    fold_policy_changed(header, *fakes::PackedTable(entry), rows);
  }
  void day_key(Timestamp at, const KeyId& key) {
    FoldEntry header;
    header.appended_at = at;
    header.key_id = key;
    REQUIRE(fold_day_key(header, "hub", rows));
  }
};

}  // namespace

TEST_CASE("a subscription is read back with its filter and with who made it") {
  Folded folded;
  folded.change("desk", SubscriptionChange::created, core::kByConfiguration);
  folded.change("night", SubscriptionChange::created);
  const auto subscriptions = *subscription_rows(folded.rows);
  REQUIRE(subscriptions.size() == 2);
  CHECK(subscriptions[0].name == "desk");
  CHECK(subscriptions[0].agency == "northmarch-council");
  CHECK(subscriptions[0].role == "social-care-duty");
  CHECK(subscriptions[0].configured);
  CHECK(subscriptions[0].filter.tiers == std::vector<std::uint8_t>{4});
  CHECK_FALSE(subscriptions[1].configured);
}

TEST_CASE("the newest change of a subscription counts") {
  Folded folded;
  folded.change("desk", SubscriptionChange::created);
  folded.change("desk", SubscriptionChange::changed, "client a", 3);
  CHECK(subscription_rows(folded.rows)->at(0).filter.tiers == std::vector<std::uint8_t>{3});
}

TEST_CASE("a change that this version does not know leaves the subscription as it is") {
  Folded folded;
  folded.change("desk", SubscriptionChange::created);
  folded.change("desk", SubscriptionChange::paused, "client a", 1);
  folded.change("", SubscriptionChange::created);
  const auto subscriptions = *subscription_rows(folded.rows);
  REQUIRE(subscriptions.size() == 1);
  CHECK(subscriptions[0].filter.tiers == std::vector<std::uint8_t>{4});
}

TEST_CASE("a subscription's row that does not read is corrupt") {
  Folded folded;
  folded.change("desk", SubscriptionChange::created);
  const auto row = **folded.rows.get(row_keys::subscription("desk"));
  for (std::size_t kept = 0; kept < row.size(); kept += 7) {
    INFO("kept " << kept);
    folded.rows.put(row_keys::subscription("desk"), row.substr(0, kept));
    const auto read = subscription_rows(folded.rows);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == ErrorKind::corrupt);
  }
}

TEST_CASE("policies are read in the order of their versions, however many there are") {
  Folded folded;
  constexpr Sequence kPolicies = 5'000;  // more than one page of rows
  for (Sequence version = kPolicies; version > 0; --version) folded.policy(version * 3, "policy text");
  const auto policies = *policy_rows(folded.rows);
  REQUIRE(policies.size() == kPolicies);
  for (Sequence at = 0; at < kPolicies; ++at) REQUIRE(policies[at].version == (at + 1) * 3);
  CHECK(policies.back().text == "policy text");
}

TEST_CASE("the first key that a day used stays that day's") {
  Folded folded;
  folded.day_key({5 * kDayUs}, KeyId{{1}});
  folded.day_key({6 * kDayUs - 1}, KeyId{{2}});
  folded.day_key({6 * kDayUs}, KeyId{{3}});
  CHECK(*day_key_row(folded.rows, "hub", 5) == KeyId{{1}});
  CHECK(*day_key_row(folded.rows, "hub", 6) == KeyId{{3}});
  CHECK_FALSE(*day_key_row(folded.rows, "hub", 7));
  folded.rows.put(row_keys::day_key("hub", 7), "short");
  CHECK(day_key_row(folded.rows, "hub", 7).error().kind == ErrorKind::corrupt);
}

TEST_CASE("where a subscription stands is read back, and forgotten once it is nothing special") {
  Folded folded;
  folded.change("desk", SubscriptionChange::paused);
  CHECK(course_row(folded.rows, "desk")->paused_since);
  CHECK(course_rows(folded.rows)->size() == 1);
  folded.change("desk", SubscriptionChange::resumed);
  CHECK(course_rows(folded.rows)->empty());
  folded.rows.put(row_keys::course("desk"), "x");
  CHECK(course_row(folded.rows, "desk").error().kind == ErrorKind::corrupt);
  CHECK_FALSE(course_rows(folded.rows));
}
