#include "broker/core/restrictions.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "broker/base/event_fields.hpp"
#include "broker/base/event_schema.hpp"
#include "broker/core/policy.hpp"
#include "tests/fakes/events.hpp"

using namespace carehub;
using namespace carehub::core;
using event::Restriction;

TEST_CASE("an event without marks has none, and one with several has all of them") {
  const auto plain = fakes::event_of({{"type", "admission"}});
  CHECK(restrictions_of(*verified_event(plain)) == 0);
  const auto marked = fakes::event_of({{"restrictions[0]", "adopted"}, {"restrictions[1]", "sealed_record"}});
  CHECK(restrictions_of(*verified_event(marked)) ==
        (bit_of(Restriction::adopted) | bit_of(Restriction::sealed_record)));
}

TEST_CASE("a mark that this hub does not know withholds the event whole") {
  CHECK(bit_of(static_cast<Restriction>(200)) == bit_of(Restriction::other));
  CHECK(bit_of(Restriction::unknown) == bit_of(Restriction::other));
  CHECK(withholds_all(bit_of(static_cast<Restriction>(200))));
}

TEST_CASE("what hides fields does not withhold the event, so that it still reaches who must act") {
  const auto fields =
      static_cast<RestrictionSet>(bit_of(Restriction::sensitive_address) | bit_of(Restriction::adopted));
  CHECK_FALSE(withholds_all(fields));
  CHECK(withholds_all(bit_of(Restriction::witness_protection)));
}

TEST_CASE("each field of a person that tells where a child is goes with the address") {
  const auto address = bit_of(Restriction::sensitive_address);
  for (const auto* name : {"addresses", "telecoms", "contacts", "school", "gp", "gp_practice",
                           "home_authority", "key_worker", "upn", "local_identifiers"}) {
    INFO(name);
    CHECK(event_schema::event_table().find("person")->table->find(name) != nullptr);
    CHECK(hides_field(address, name));
  }
  for (const auto* name : {"nhs_number", "names", "birth_date", "tier", "status"})
    CHECK_FALSE(hides_field(address, name));
  CHECK_FALSE(hides_other_names(address));
}

namespace {

using event_schema::TableType;
using Reasons = std::map<std::string, std::string, std::less<>>;  // by path

/// Types whose every field has to be thought of when a mark is.
const std::set<std::string> kTelling{"Organisation", "Location", "Practitioner", "Contact", "Address",
                                     "Telecom",      "Document", "Identifier",   "Name"};

struct Classed {
  std::vector<std::string> not_classed;
  std::set<std::string> considered;  // of the reasons, those that there is a field for
};

/// Every field of such a type that the mark does not hide and that no reason is given for. What stands in a
/// table that is hidden is hidden with it.
void class_fields(RestrictionSet mark, const TableType& table, const std::string& above,
                  const std::set<std::string>& telling, const Reasons& reasons, Classed& classed) {
  for (const auto& field : table.fields) {
    if (hides_field(mark, field.name)) continue;
    const auto at = above + field.name;
    if (field.table == nullptr) {
      if (!field.name.ends_with("nhs_number")) continue;
    } else if (!telling.contains(field.table->name)) {
      class_fields(mark, *field.table, at + ".", telling, reasons, classed);
      continue;
    }
    if (reasons.contains(at)) {
      classed.considered.insert(at);
    } else {
      classed.not_classed.push_back(at);
    }
  }
}

void check_classed(event::Restriction mark, const std::set<std::string>& telling, const Reasons& reasons) {
  Classed classed;
  class_fields(bit_of(mark), event_schema::event_table(), "", telling, reasons, classed);
  CHECK(classed.not_classed == std::vector<std::string>{});
  for (const auto& [at, reason] : reasons) {
    INFO(at << ": " << reason);
    CHECK(classed.considered.contains(at));
  }
}

}  // namespace

TEST_CASE("each field that can tell where a child is goes with the address, or there is a reason why not") {
  check_classed(event::Restriction::sensitive_address, kTelling,
                {{"person.nhs_number", "tells no place"},
                 {"person.names", "a name is no place"},
                 {"capacity.site", "beds are no child's"},
                 {"identity_link.identifiers", "a link is nothing without them"},
                 {"identity_merge.surviving", "a merge is nothing without them"},
                 {"identity_merge.retired", "a merge is nothing without them"},
                 {"identity_merge.surviving_nhs_number", "tells no place"},
                 {"identity_merge.retired_nhs_number", "tells no place"}});
}

TEST_CASE(
    "each field that can tell who a child was before goes with an adoption, or there is a reason why not") {
  check_classed(event::Restriction::adopted, {"Contact", "Address", "Identifier", "Name"},
                {{"person.nhs_number", "an adopted child has a new one"},
                 {"person.names", "the present one is shown"}});
}

TEST_CASE("a type of the schema that is new has to be classed before a mark can be trusted with it") {
  for (const auto& top : event_schema::event_table().fields) {
    if (top.table == nullptr) continue;
    for (const auto& field : top.table->fields) {
      if (field.table == nullptr) continue;
      INFO(top.name << "." << field.name);
      CHECK((kTelling.contains(field.table->name) || field.table->name == "Coding"));
    }
  }
}

namespace {

/// What a rule of these paths shows that does not see the mark.
Bytes adopted_view(const Bytes& event, const std::vector<std::string>& paths = event_field_names()) {
  DisclosureRule rule;
  for (const auto& path : paths) rule.show.push_back(*FieldPath::parse(path));
  auto view =
      redact(*verified_event(event), rule, restrictions_of(*verified_event(event)), storage::SecretKey());
  REQUIRE(view);
  return *view;
}

bool holds(const Bytes& view, std::string_view text) { return !std::ranges::search(view, text).empty(); }

}  // namespace

TEST_CASE("an adopted child's former name is not shown for standing first") {
  const auto named = [](const char* first, const char* second) {
    return fakes::event_of({{"type", "referral"},
                            {"restrictions[0]", "adopted"},
                            {"person.names[0].family", "Birthname"},
                            {"person.names[0].use", first},
                            {"person.names[1].family", "Alder"},
                            {"person.names[1].use", second}});
  };
  const auto view = adopted_view(named("old", "official"));
  CHECK_FALSE(holds(view, "Birthname"));
  CHECK(holds(view, "Alder"));
  const auto first = adopted_view(named("old", "official"), {"person.names[0].family"});
  CHECK(verified_event(first)->person() == nullptr);
  const auto none = adopted_view(named("maiden", "alias"));
  CHECK_FALSE(holds(none, "Birthname"));
  CHECK_FALSE(holds(none, "Alder"));
}

TEST_CASE("a merge shows neither of an adopted child's numbers, nor a consent who gave it") {
  const auto merge = fakes::event_of({{"type", "identity_merge"},
                                      {"restrictions[0]", "adopted"},
                                      {"identity_merge.retired[0].value", "FORMER-1"},
                                      {"identity_merge.surviving[0].value", "PRESENT-1"},
                                      {"identity_merge.retired_nhs_number", "9990000018"},
                                      {"identity_merge.reversed", "no"}});
  const auto view = adopted_view(merge);
  for (const auto* told : {"FORMER-1", "PRESENT-1", "9990000018"}) CHECK_FALSE(holds(view, told));
  CHECK(verified_event(view)->identity_merge()->reversed() == event::Answer::no);
  const auto consent = fakes::event_of({{"type", "consent"},
                                        {"restrictions[0]", "adopted"},
                                        {"consent.by.name.family", "Birthmother"},
                                        {"consent.decision", "given"}});
  CHECK_FALSE(holds(adopted_view(consent), "Birthmother"));
}
