#include "adapters/channel/interpreter_csv.hpp"

#include <catch2/catch.hpp>

#include "adapters/channel/mapping.hpp"
#include "tests/unit/channel/pack_channel.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

constexpr const char* kHeader =
    "Reference,Date,Surname,Forename,Date of birth,UPN,Sex,School URN,Reason,Urgency\r\n";

}  // namespace

TEST_CASE("each row of a school's file is a referral, a bad one a problem with its line") {
  const PackChannel channel("school/referrals.toml");
  const std::string text = std::string(kHeader) +
                           "R1,01/03/2026,Fernley,Rosa,03/05/2012,,F,900101,Worry at school,Urgent\r\n"
                           "R2,yesterday,Oak,Ivo,03/05/2012,,M,900101,Absence,\r\n"
                           "R3,01/03/2026,short\r\n"
                           "R4,02/03/2026,Oak,Ivo,03/05/2012,,M,900101,Absence,\r\n";
  const auto message = channel.interpret(text);
  const auto publications = message->take_publications();
  REQUIRE(publications.size() == 4);
  CHECK(value_of(publications[0], "type") == "referral");
  CHECK(value_of(publications[0], "referral.number") == "R1");
  CHECK(value_of(publications[0], "referral.urgency") == "urgent");
  CHECK(value_of(publications[0], "person.birth_date") == "2012-05-03");
  CHECK(value_of(publications[0], "person.school.code") == "900101");
  CHECK(value_of(publications[0], "source_message_id") == "day.csv/R1");
  REQUIRE(publications[1].problem);
  CHECK(publications[1].problem->place == "line 3, column Date");
  CHECK(publications[1].problem->text.find("yesterday") == std::string::npos);
  REQUIRE(publications[2].problem);
  CHECK(publications[2].problem->place == "line 4");
  CHECK(value_of(publications[3], "referral.urgency") == "routine");
  CHECK(publications[0].identity != publications[3].identity);
}
