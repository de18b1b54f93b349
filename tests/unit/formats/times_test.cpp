#include "adapters/formats/times.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

const Zone kLondon = *Zone::find("Europe/London");

std::string hl7(const std::string& text) {
  const auto time = parse_hl7_time(text, kLondon);
  return time ? time_text(*time) : "(invalid)";
}

}  // namespace

TEST_CASE("an HL7 time keeps its precision and its offset") {
  CHECK(hl7("202603010930") == "2026-03-01T09:30+00:00");
  CHECK(hl7("20260301093015+0530") == "2026-03-01T09:30:15+05:30");
  CHECK(hl7("20260701093015") == "2026-07-01T09:30:15+01:00");
  const auto year = parse_hl7_time("2026", kLondon);
  REQUIRE(year);
  CHECK(year->precision() == event::TimePrecision::year);
  CHECK(parse_hl7_time("20260301093015.25", kLondon)->precision() == event::TimePrecision::subsecond);
}

TEST_CASE("in the hour that comes twice the first is meant") {
  CHECK(hl7("20261025013000") == "2026-10-25T01:30:00+01:00");
}

TEST_CASE("a time in the hour that never comes is moved forward") {
  CHECK(hl7("20260329013000") == "2026-03-29T02:30:00+01:00");
}

TEST_CASE("a malformed time is refused") {
  for (const std::string text :
       {"", "26", "202613", "20260230", "2026030125", "202603010", "20260301093015+1", "x", "20260301093015.",
        "20260301 0930", "20260301093015+0175"}) {
    CAPTURE(text);
    CHECK(hl7(text) == "(invalid)");
  }
}

TEST_CASE("an HL7 date is the date of a time, as precise as it is") {
  CHECK(date_text(*parse_hl7_date("198808181126+0215")) == "1988-08-18");
  CHECK(date_text(*parse_hl7_date("201205")) == "2012-05");
  CHECK_FALSE(parse_hl7_date("20120532"));
}

TEST_CASE("dates are read and written in a partner's own form") {
  CHECK(date_text(*parse_date_as("3/9/2012", "%d/%m/%Y")) == "2012-09-03");
  CHECK(date_text(*parse_date_as("03/09/2012", "%d/%m/%Y")) == "2012-09-03");
  CHECK_FALSE(parse_date_as("2012-09-03", "%d/%m/%Y"));
  CHECK_FALSE(parse_date_as("31/02/2012", "%d/%m/%Y"));
  CHECK(format_date(event::Date(2012, 9, 3), "%d/%m/%Y") == "03/09/2012");
  CHECK(format_date(event::Date(2012, 9, 0), "%d/%m/%Y") == "09/2012");
  CHECK(format_time(*parse_hl7_time("202607010930", kLondon), "%d/%m/%Y %H:%M") == "01/07/2026 09:30");
  CHECK(hl7_time({1'772'357'400'000'000}, kLondon) == "20260301093000+0000");
  CHECK_FALSE(check_time_format("%d %b"));
}

TEST_CASE("a birth date that is not written as HL7 has it is refused, never cut to its year") {
  for (const std::string text :
       {"2012-05-03", "2012/05/03", "201205-03", "20120503x", "2012+0100", "20120503-0100"}) {
    INFO(text);
    CHECK_FALSE(parse_hl7_date(text));
  }
  const auto midnight = parse_hl7_date("20120503000000+0100");
  REQUIRE(midnight);
  CHECK(date_text(*midnight) == "2012-05-03");
  CHECK(date_text(*parse_hl7_date("201205")) == "2012-05");
  CHECK(date_text(*parse_hl7_date("2012050309")) == "2012-05-03");
}
