#include <catch2/catch.hpp>

#include <random>

#include "broker/base/clock.hpp"
#include "broker/base/event_fields.hpp"

using namespace carehub;
using event::TimePrecision;

namespace {

struct Example {
  const char* text;
  std::int64_t utc_seconds;
  int offset_minutes;
  TimePrecision precision;
};

constexpr Example kExamples[] = {
    {"2026", 1767225600, 0, TimePrecision::year},
    {"2026-03", 1772323200, 0, TimePrecision::month},
    {"2026-03-01", 1772323200, 0, TimePrecision::day},
    {"2026-03-01T09+00:00", 1772355600, 0, TimePrecision::hour},
    {"2026-03-01T09:30+00:00", 1772357400, 0, TimePrecision::minute},
    {"2026-03-01T09:30:15+00:00", 1772357415, 0, TimePrecision::second},
    {"2026-07-01T09:30+01:00", 1782894600, 60, TimePrecision::minute},
    {"2026-03-01T09:30-05:30", 1772377200, -330, TimePrecision::minute},
    {"2026-07-01+01:00", 1782860400, 60, TimePrecision::day},
    {"2026-07+01:00", 1782860400, 60, TimePrecision::month},
    {"1969-12-31T23:59:59+00:00", -1, 0, TimePrecision::second},
    {"0001-01-01", -62135596800, 0, TimePrecision::day},
    {"9999-12-31T23:59:59+00:00", 253402300799, 0, TimePrecision::second},
    {"2024-02-29", 1709164800, 0, TimePrecision::day},
};

}  // namespace

TEST_CASE("a time keeps its precision and its offset") {
  for (const auto& example : kExamples) {
    INFO(example.text);
    const auto time = parse_time(example.text);
    REQUIRE(time);
    CHECK(time->utc_us() == example.utc_seconds * kSecondUs);
    CHECK(time->offset_minutes() == example.offset_minutes);
    CHECK(time->precision() == example.precision);
    CHECK(time_text(*time) == example.text);
  }
}

TEST_CASE("Z is the offset of Greenwich") {
  CHECK(time_text(*parse_time("2026-03-01T09:30Z")) == "2026-03-01T09:30+00:00");
  CHECK(time_text(*parse_time("2026-03-01T09:30:15.25Z")) == "2026-03-01T09:30:15.25+00:00");
}

TEST_CASE("a fraction of a second is kept to the microsecond") {
  CHECK(parse_time("1970-01-01T00:00:00.5Z")->utc_us() == 500'000);
  CHECK(parse_time("1970-01-01T00:00:00.000001Z")->utc_us() == 1);
  CHECK(parse_time("1970-01-01T00:00:00.123456789Z")->utc_us() == 123'456);
  CHECK(time_text(*parse_time("1970-01-01T00:00:00.000Z")) == "1970-01-01T00:00:00.0+00:00");
  CHECK(time_text(*parse_time("1969-12-31T23:59:59.999999Z")) == "1969-12-31T23:59:59.999999+00:00");
}

TEST_CASE("a time that cannot be is refused, and the error does not repeat it") {
  for (const char* text : {"",
                           "26",
                           "2026-13",
                           "2026-00",
                           "2026-02-29",
                           "2026-04-31",
                           "2026-3-1",
                           "0000",
                           "2026-07-04T",
                           "2026-03-01T24:00Z",
                           "2026-03-01T09:60Z",
                           "2026-03-01T09:30:60Z",
                           "2026-07-04T09:30",
                           "2026-07-04T09",
                           "2026-03-01T09:30+24:00",
                           "2026-03-01T09:30+0100",
                           "2026-03-01T09:30+01",
                           "2026-03-01T09:30:Z",
                           "2026-03-01T09:30:15.Z",
                           "2026-03-01T09:30:15.1234567890Z",
                           "2026-03-01 09:30Z",
                           "2026-03-01T09:30ZZ",
                           "20260301",
                           "202603010930+0000",
                           "2026-03-01T09:30z",
                           "-2026",
                           "+2026",
                           "2026-03-01T09:30+00:60",
                           "2026-",
                           "2026-03-"}) {
    INFO(text);
    const auto time = parse_time(text);
    REQUIRE_FALSE(time);
    CHECK(time.error().kind == ErrorKind::invalid);
    if (std::string_view(text).size() > 12) CHECK_THAT(time.error().text, !Catch::Contains(text));
  }
}

TEST_CASE("any time survives the way to text and back") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50'000; ++round) {
    const auto us = static_cast<std::int64_t>(random() % 8'000'000'000'000'000) - 1'000'000'000'000'000;
    const auto offset = static_cast<std::int16_t>(static_cast<int>(random() % 1681) - 840);
    const auto text = time_text(event::Time(us, offset, TimePrecision::subsecond));
    INFO(text);
    const auto back = parse_time(text);
    REQUIRE(back);
    CHECK(back->utc_us() == us);
    CHECK(back->offset_minutes() == offset);
    for (auto precision = 1; precision <= 7; ++precision) {
      const auto cut = time_text(event::Time(us, offset, static_cast<TimePrecision>(precision)));
      const auto cut_back = parse_time(cut);
      REQUIRE(cut_back);
      CHECK(time_text(*cut_back) == cut);
      CHECK(cut_back->utc_us() <= us);
    }
  }
}

TEST_CASE("times that a foreign writer stretched beyond the calendar still have a text") {
  for (const auto us : {INT64_MIN, INT64_MAX}) {
    for (const auto offset : {std::int16_t{INT16_MIN}, std::int16_t{INT16_MAX}}) {
      CHECK_FALSE(time_text(event::Time(us, offset, TimePrecision::subsecond)).empty());
      CHECK_FALSE(time_text(event::Time(us, offset, static_cast<TimePrecision>(99))).empty());
    }
  }
  CHECK(time_text(event::Time(0, 0, TimePrecision::unknown)) == "1970-01-01T00:00:00.0+00:00");
  CHECK_FALSE(date_text(event::Date(INT16_MIN, std::uint8_t{255}, std::uint8_t{255})).empty());
}

TEST_CASE("a date may lack its day, or its month and day") {
  for (const char* text : {"2012-05-03", "2012-05", "2012", "2012-02-29", "0001-01-01", "9999-12-31"}) {
    INFO(text);
    const auto date = parse_date(text);
    REQUIRE(date);
    CHECK(date_text(*date) == text);
  }
  CHECK(parse_date("2012-05")->day() == 0);
  CHECK(parse_date("2012")->month() == 0);
}

TEST_CASE("a date that cannot be is refused, and the error does not repeat it") {
  for (const char* text :
       {"", "0000", "12", "2012-13", "2012-00", "2012-05-00", "2013-02-29", "2012-05-32", "2012-5-3",
        "2012/05/03", "20120504", "2012-05-03T00:00Z", "03-05-2012", "2012-", "2012-05-", "2012-05-03 "}) {
    INFO(text);
    const auto date = parse_date(text);
    REQUIRE_FALSE(date);
    CHECK(date.error().kind == ErrorKind::invalid);
    if (std::string_view(text) == "20120504") CHECK_THAT(date.error().text, !Catch::Contains(text));
  }
}
