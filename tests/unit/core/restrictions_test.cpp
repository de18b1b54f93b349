#include "broker/core/restrictions.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "broker/base/event_schema.hpp"
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
  for (const auto* name :
       {"addresses", "telecoms", "contacts", "school", "gp", "gp_practice", "home_authority"}) {
    INFO(name);
    CHECK(event_schema::event_table().find("person")->table->find(name) != nullptr);
    CHECK(hides_field(address, name));
  }
  for (const auto* name : {"nhs_number", "names", "birth_date", "tier", "status"})
    CHECK_FALSE(hides_field(address, name));
  CHECK_FALSE(hides_other_names(address));
}
