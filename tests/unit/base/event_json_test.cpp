#include <catch2/catch.hpp>

#include <boost/json.hpp>

#include "broker/base/event_builder.hpp"

using namespace carehub;

namespace {

Bytes build(std::initializer_list<std::pair<const char*, std::string_view>> values) {
  EventBuilder builder;
  for (const auto& [field, value] : values) {
    INFO(field);
    REQUIRE(builder.set(*FieldPath::parse(field), value));
  }
  auto bytes = builder.finish();
  REQUIRE(bytes);
  return *bytes;
}

std::string json_of_journey(const std::string& journey) {
  flatbuffers::FlatBufferBuilder builder;
  event::EventT event;
  event.id = "e-1";
  event.source_agency = "a";
  event.journey = journey;
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  return event_to_json(*event::GetEvent(builder.GetBufferPointer()));
}

}  // namespace

TEST_CASE("an event is one JSON object with the names of event.fbs") {
  const auto bytes = build({{"id", "e-1"},
                            {"source_agency", "elwick-hospital"},
                            {"type", "admission"},
                            {"received_at", "1772357400000000"},
                            {"person.names[0].family", "Thornby"},
                            {"person.names[0].given[0]", "Ada"},
                            {"person.birth_date", "2012-05-03"},
                            {"restrictions[0]", "adopted"},
                            {"admission.tier", "4"},
                            {"admission.admitted_at", "2026-03-01T09:30Z"}});
  CHECK(event_to_json(*verified_event(bytes)) ==
        R"({"id":"e-1","type":"admission","source_agency":"elwick-hospital","received_at":1772357400000000,)"
        R"("person":{"names":[{"family":"Thornby","given":["Ada"]}],"birth_date":"2012-05-03"},)"
        R"("restrictions":["adopted"],"admission":{"tier":4,"admitted_at":"2026-03-01T09:30+00:00"}})");
}

TEST_CASE("an indented event reads line by line") {
  const auto bytes = build({{"id", "e-1"}, {"source_agency", "a"}, {"restrictions[0]", "adopted"}});
  CHECK(event_to_json(*verified_event(bytes), 2) ==
        "{\n  \"id\": \"e-1\",\n  \"source_agency\": \"a\",\n  \"restrictions\": [\n    \"adopted\"\n  ]\n}");
}

TEST_CASE("text of any bytes becomes JSON that another parser reads") {
  boost::json::error_code error;
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; second += 5) {
      const std::string text = {'a', static_cast<char>(first), static_cast<char>(second), 'z'};
      const auto json = boost::json::parse(json_of_journey(text), error);
      REQUIRE_FALSE(error);
      const auto read = json.at("journey").as_string();
      if (first < 0x80 && second < 0x80) CHECK(read == text);
    }
  }
}

TEST_CASE("text that is no UTF-8 shows the replacement character, and the rest as it is") {
  CHECK_THAT(json_of_journey("caf\xE9 au lait"), Catch::Contains("caf\xEF\xBF\xBD au lait"));
  CHECK_THAT(json_of_journey("caf\xC3\xA9"), Catch::Contains("caf\xC3\xA9"));
}
