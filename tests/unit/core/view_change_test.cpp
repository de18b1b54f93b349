#include "broker/core/view_change.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "broker/base/event_builder.hpp"

using namespace carehub;
using namespace carehub::core;

namespace {

Policy policy_of(const std::string& fields) {
  const auto text = "[[rule]]\nname = \"r\"\nrole = \"school\"\ntypes = [\"admission\"]\n" + fields +
                    "\nlegal_basis = \"Children Act 2004 s.10\"\n";
  std::vector<ConfigFault> faults;
  auto policy = Policy::parse(text, "policy.toml", 1, faults);
  for (const auto& fault : faults) FAIL(to_string(fault));
  return policy;
}

Bytes admission() {
  EventBuilder builder;
  const auto set = [&builder](const std::string& at, std::string_view value) {
    const auto path = FieldPath::parse(at);
    REQUIRE(path);
    REQUIRE(builder.set(*path, value));
  };
  set("id", "e-1");
  set("source_agency", "elwick-hospital");
  set("type", "admission");
  set("occurred_at", "2026-10-28T21:15+00:00");
  set("person.nhs_number", "9990000018");
  set("person.addresses[0].postcode", "ZZ99 3WZ");
  set("person.names[0].family", "Alder");
  set("person.names[1].family", "Marlow");
  auto bytes = builder.finish();
  REQUIRE(bytes);
  return std::move(*bytes);
}

struct Compared {
  std::set<FieldChange> changes;
  std::size_t judged = 0;
};

Compared compare(const std::string& before, const std::string& after, RestrictionSet marks = 0) {
  const auto old_policy = before.empty() ? Policy() : policy_of(before);
  const auto new_policy = after.empty() ? Policy() : policy_of(after);
  const auto bytes = admission();
  Compared compared;
  compared.changes = view_changes(before.empty() ? nullptr : old_policy.rules().data(),
                                  after.empty() ? nullptr : new_policy.rules().data(), *verified_event(bytes),
                                  marks, compared.judged);
  return compared;
}

std::string coarsened(const std::string& path, const std::string& how) {
  return "show = [\"id\"]\ncoarsen = [{ path = \"" + path + "\", " + how + " }]";
}

}  // namespace

TEST_CASE("what a view has of a field is more in the order of its coarsenings, and most where it is shown") {
  const auto time = [](const std::string& how) { return coarsened("occurred_at", how); };
  const std::array<std::string, 5> of_time = {"show = [\"id\"]", time("how = \"to_year\""),
                                              time("how = \"to_month\""), time("how = \"to_date\""),
                                              "show = [\"occurred_at\"]"};
  const auto number = [](const std::string& how) { return coarsened("person.nhs_number", how); };
  const std::array<std::string, 4> of_number = {
      "show = [\"id\"]", number("how = \"replaced\", by = \"known to the hospital\""),
      number("how = \"pseudonymised\""), "show = [\"person.nhs_number\"]"};
  const auto climbs = [](const auto& steps, const std::string& path) {
    for (std::size_t low = 0; low < steps.size(); ++low) {
      for (std::size_t high = 0; high < steps.size(); ++high) {
        const auto changes = compare(steps[low], steps[high]).changes;
        INFO(steps[low] << " to " << steps[high]);
        REQUIRE(changes.size() == (low == high ? 0 : 1));
        if (low == high) continue;
        CHECK(changes.begin()->path == path);
        CHECK((changes.begin()->after > changes.begin()->before) == (high > low));
      }
    }
  };
  climbs(of_time, "occurred_at");
  climbs(of_number, "person.nhs_number");
  const auto district = compare(coarsened("person.addresses[].postcode", "how = \"to_district\""),
                                "show = [\"person.addresses\"]")
                            .changes;
  REQUIRE(district.size() == 1);
  CHECK(std::string(word_of(district.begin()->before)) == "to_district");
  CHECK(std::string(word_of(district.begin()->after)) == "shown");
}

TEST_CASE("a pseudonym is told from the value itself") {
  const auto changes =
      compare("show = [\"person.nhs_number\"]", coarsened("person.nhs_number", "how = \"pseudonymised\""))
          .changes;
  REQUIRE(changes.size() == 1);
  CHECK(changes.begin()->before == Extent::whole);
  CHECK(changes.begin()->after == Extent::pseudonymised);
}

TEST_CASE("a list is one change, and the elements that a mark hides are not said to be shown") {
  const auto changes = compare("show = [\"id\"]", "show = [\"person.names\"]").changes;
  REQUIRE(changes.size() == 1);
  CHECK(changes.begin()->path == "person.names[].family");
  const auto sensitive = bit_of(event::Restriction::sensitive_address);
  CHECK(compare("show = [\"id\"]", "show = [\"person.addresses\"]", sensitive).changes.empty());
  CHECK(compare("show = [\"id\"]", "show = [\"person.addresses\"]\nsees_restricted = [\"sensitive_address\"]",
                sensitive)
            .changes.size() == 1);
}

TEST_CASE("another fixed text is a change that is neither more nor less") {
  const auto one = coarsened("person.nhs_number", "how = \"replaced\", by = \"one\"");
  const auto changes =
      compare(one, coarsened("person.nhs_number", "how = \"replaced\", by = \"another\"")).changes;
  REQUIRE(changes.size() == 1);
  CHECK(changes.begin()->before == Extent::replaced);
  CHECK(changes.begin()->after == Extent::replaced);
  CHECK(compare(one, one + "\ntiers = [4]").changes.empty());
}

TEST_CASE("without a rule on one side all that the other shows changes, but for id and type") {
  const auto seen = compare("", "show = [\"*\"]").changes;
  CHECK(seen.size() == 5);
  CHECK(std::ranges::all_of(seen, [](const auto& change) {
    return change.before == Extent::nothing && change.after == Extent::whole && change.path != "id" &&
           change.path != "type";
  }));
  const auto gone = compare("show = [\"*\"]", "").changes;
  CHECK(gone.size() == 5);
  CHECK(std::ranges::all_of(gone, [](const auto& change) { return change.after == Extent::nothing; }));
  CHECK(compare("", "").changes.empty());
}

TEST_CASE("rules that show the same in another order are not looked at field by field") {
  const auto same = compare("show = [\"person\", \"occurred_at\"]", "show = [\"occurred_at\", \"person\"]");
  CHECK(same.changes.empty());
  CHECK(same.judged == 0);
  CHECK(compare("show = [\"person\"]", "show = [\"occurred_at\"]").judged > 0);
}
