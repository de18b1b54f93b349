#include "broker/app/event_file.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_fields.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using app::read_events;

namespace {

const app::EventDefaults kDefaults{"council", "command-line", Timestamp{1'700'000'000'000'000}};

std::vector<app::FileEvent> events(std::string_view text) {
  fakes::SeededRandom random(1);
  auto read = read_events(text, kDefaults, random);
  if (!read) FAIL(read.error().text);
  return *read;
}

Error error(std::string_view text) {
  fakes::SeededRandom random(1);
  auto read = read_events(text, kDefaults, random);
  REQUIRE_FALSE(read);
  return read.error();
}

constexpr const char* kFlag =
    R"({"id":"e1","type":"safeguarding_flag","source_agency":"ward","occurred_at":"2026-03-02T10:00+00:00",)"
    R"("person":{"nhs_number":"9990000018","names":[{"family":"Marlow","given":["Ada","May"]}]},)"
    R"("safeguarding_flag":{"status":"raised"}})";

}  // namespace

TEST_CASE("an event is read with the names that event_to_json writes") {
  const auto read = events(kFlag);
  REQUIRE(read.size() == 1);
  const event::Event* event = verified_event(read[0].event);
  REQUIRE(event != nullptr);
  CHECK(event->type() == event::EventType::safeguarding_flag);
  CHECK(event->person()->names()->Get(0)->given()->Get(1)->str() == "May");
  CHECK(event->source_agency()->str() == "ward");
  CHECK(event->received_at() == kDefaults.received_at.us);
  CHECK(events(event_to_json(*event))[0].event == read[0].event);
}

TEST_CASE("an array and one object a line are many events") {
  const std::string one = kFlag;
  CHECK(events("[" + one + "," + one + "]").size() == 2);
  CHECK(events(one + "\n" + one + "\r\n\n" + one).size() == 3);
  CHECK(events(event_to_json(*verified_event(events(one)[0].event), 2)).size() == 1);
}

TEST_CASE("what an event leaves out is filled in, and changes nothing of its content") {
  const auto read = events(R"({"type":"capacity","capacity":{"beds":3}})");
  CHECK(read[0].agency == "council");
  CHECK(read[0].id.size() == 36);
  fakes::SeededRandom random(2);
  const auto later = read_events(kFlag, {"council", "x", Timestamp{1}}, random);
  REQUIRE(later);
  CHECK((*later)[0].content == events(kFlag)[0].content);
}

TEST_CASE("a fault names the event and the field, never the value") {
  const Error unknown = error(R"([{"type":"capacity"},{"type":"capacity","capacity":{"bedz":3}}])");
  CHECK(unknown.text.find("event 2") != std::string::npos);
  CHECK(unknown.text.find("beds") != std::string::npos);
  const Error date = error(R"({"type":"admission","person":{"birth_date":"Marlow"}})");
  CHECK(date.text.find("person.birth_date") != std::string::npos);
  CHECK(date.text.find("Marlow") == std::string::npos);
  CHECK(error("[3]").text.find("event 1") != std::string::npos);
}

TEST_CASE("text that is not JSON is a fault with its line") {
  CHECK(error("{\n\"type\": nonsense\n}").kind == ErrorKind::invalid);
  CHECK(error(std::string(kFlag) + "\n{broken").text.find("line 2") != std::string::npos);
}
