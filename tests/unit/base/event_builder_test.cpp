#include "broker/base/event_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>

#include "broker/base/limits.hpp"

using namespace carehub;

namespace {

FieldPath path(std::string_view text) {
  const auto parsed = FieldPath::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

void set(EventBuilder& builder, std::string_view field, std::string_view value) {
  INFO(field);
  const auto done = builder.set(path(field), value);
  INFO((done ? std::string() : done.error().text));
  REQUIRE(done);
}

Error refused(std::string_view field, std::string_view value) {
  EventBuilder builder;
  const auto done = builder.set(path(field), value);
  INFO(field);
  REQUIRE_FALSE(done);
  return done.error();
}

Bytes finish(EventBuilder& builder) {
  auto bytes = builder.finish();
  INFO((bytes ? std::string() : bytes.error().text));
  REQUIRE(bytes);
  return *bytes;
}

void set_required(EventBuilder& builder) {
  set(builder, "id", "7d1f2f60-8f0c-4c7e-9c3b-2c1f6a0d9e11");
  set(builder, "source_agency", "elwick-hospital");
}

/// A value that the field takes and that is not its default.
std::string some_value(const FieldPath& leaf, std::mt19937& random) {
  switch (leaf.kind()) {
    case FieldKind::text: return "text " + std::to_string(random());
    case FieldKind::integer: return std::to_string(1 + random() % 4);
    case FieldKind::enumeration: {
      const auto names = enumeration_names(leaf);
      return names[1 + random() % (names.size() - 1)];
    }
    case FieldKind::date: return "2012-05-0" + std::to_string(1 + random() % 9);
    case FieldKind::time: return "2026-03-01T09:3" + std::to_string(random() % 10) + "+01:00";
    case FieldKind::table: break;
  }
  return {};
}

}  // namespace

TEST_CASE("an open path takes its indices beside it, and is the path that has them written in") {
  EventBuilder bound, written;
  for (EventBuilder* each : {&bound, &written}) set_required(*each);
  const std::vector<std::uint32_t> indices{1, 0};
  REQUIRE(bound.set(path("person.contacts[].telecoms[].value"), indices, "01632 960001"));
  set(written, "person.contacts[1].telecoms[0].value", "01632 960001");
  CHECK(finish(bound) == finish(written));
  CHECK_FALSE(bound.set(path("person.contacts[].telecoms[].value"), std::span(indices).first(1), "x"));
  CHECK_FALSE(bound.set(path("person.contacts[0].telecoms[].value"), indices, "x"));
}

TEST_CASE("an event is built from values by path, in any order") {
  EventBuilder builder;
  set(builder, "person.names[0].given[1]", "Rose");
  set(builder, "admission.location.ward", "Juniper");
  set_required(builder);
  set(builder, "type", "admission");
  set(builder, "person.names[0].given[0]", "Ada");
  set(builder, "person.names[0].family", "Thornby");
  set(builder, "person.birth_date", "2012-05");
  set(builder, "admission.tier", "4");
  set(builder, "admission.admitted_at", "2026-03-01T09:30+00:00");
  set(builder, "restrictions[0]", "adopted");
  const auto bytes = finish(builder);

  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  CHECK(event->type() == event::EventType::admission);
  CHECK(event->source_agency()->str() == "elwick-hospital");
  REQUIRE(event->person() != nullptr);
  REQUIRE(event->person()->names()->size() == 1);
  const auto* name = event->person()->names()->Get(0);
  CHECK(name->family()->str() == "Thornby");
  CHECK(name->given()->Get(0)->str() == "Ada");
  CHECK(name->given()->Get(1)->str() == "Rose");
  CHECK(event->person()->birth_date()->year() == 2012);
  CHECK(event->person()->birth_date()->month() == 5);
  CHECK(event->person()->birth_date()->day() == 0);
  CHECK(event->admission()->tier() == 4);
  CHECK(event->admission()->location()->ward()->str() == "Juniper");
  CHECK(event->admission()->admitted_at()->precision() == event::TimePrecision::minute);
  CHECK(event->restrictions()->Get(0) == event::Restriction::adopted);
  CHECK(event->referral() == nullptr);
}

TEST_CASE("the last value set for a path wins") {
  EventBuilder builder;
  set_required(builder);
  set(builder, "journey", "first");
  set(builder, "journey", "second");
  const auto bytes = finish(builder);
  CHECK(verified_event(bytes)->journey()->str() == "second");
}

TEST_CASE("gaps in a list are closed, however large") {
  EventBuilder builder;
  set_required(builder);
  set(builder, "person.names[7].family", "Thornby");
  set(builder, "person.names[2].family", "Holt");
  set(builder, "restrictions[9000]", "other");
  set(builder, "admission.changed_fields[5]", "admission.tier");
  const auto bytes = finish(builder);
  const auto* event = verified_event(bytes);
  REQUIRE(event->person()->names()->size() == 2);
  CHECK(event->person()->names()->Get(0)->family()->str() == "Holt");
  CHECK(event->person()->names()->Get(1)->family()->str() == "Thornby");
  CHECK(event->restrictions()->size() == 1);
  CHECK(event->admission()->changed_fields()->size() == 1);
}

TEST_CASE("an event without its required fields is refused by their names") {
  EventBuilder builder;
  set(builder, "source_agency", "elwick-hospital");
  const auto bytes = builder.finish();
  REQUIRE_FALSE(bytes);
  CHECK(bytes.error().kind == ErrorKind::invalid);
  CHECK_THAT(bytes.error().text, Catch::Contains("id") && !Catch::Contains("source_agency"));
}

TEST_CASE("a builder starts afresh after finish") {
  EventBuilder builder;
  set_required(builder);
  set(builder, "journey", "first");
  finish(builder);
  set_required(builder);
  const auto bytes = finish(builder);
  CHECK(verified_event(bytes)->journey() == nullptr);
}

TEST_CASE("a wrong value is refused with what the field expects and never with the value") {
  const std::map<std::string, std::string> wrong = {{"person.birth_date", "2012-02-30"},
                                                    {"person.sex", "gibberish"},
                                                    {"admission.tier", "256"},
                                                    {"admission.tier ", "-1"},
                                                    {"occurred_at", "2026-07-04T11:45"},
                                                    {"capacity.beds", "4294967296"},
                                                    {"received_at", "9999999999999999999"},
                                                    {"admission.tier  ", "4 "},
                                                    {"person.birth_date ", "3 May 2012"},
                                                    {"received_at ", ""}};
  for (const auto& [field, value] : wrong) {
    const auto error = refused(field.substr(0, field.find(' ')), value);
    CHECK(error.kind == ErrorKind::invalid);
    CHECK_THAT(error.text, Catch::Contains("expects"));
    if (!value.empty() && value != "-1" && value != "256") CHECK_THAT(error.text, !Catch::Contains(value));
  }
  CHECK_THAT(refused("person.sex", "gibberish").text, Catch::Contains("female"));
  CHECK_THAT(refused("admission.tier", "300").text, Catch::Contains("from 0 to 255"));
}

TEST_CASE("text that is not UTF-8 or holds a NUL is refused") {
  CHECK_THAT(refused("journey", "caf\xE9").text, Catch::Contains("UTF-8"));
  CHECK_THAT(refused("journey", std::string_view("a\0b", 3)).text, Catch::Contains("NUL"));
}

TEST_CASE("a path to many values or to a table takes no value") {
  CHECK_THAT(refused("person.names[].family", "Thornby").text, Catch::Contains("index"));
  CHECK_THAT(refused("admission.location", "Juniper").text, Catch::Contains("table"));
}

TEST_CASE("numbers take their whole range") {
  EventBuilder builder;
  set_required(builder);
  set(builder, "received_at", "-9223372036854775808");
  set(builder, "capacity.beds", "4294967295");
  set(builder, "capacity.tier", "255");
  const auto bytes = finish(builder);
  const auto* event = verified_event(bytes);
  CHECK(event->received_at() == INT64_MIN);
  CHECK(event->capacity()->beds() == 4294967295U);
  CHECK(event->capacity()->tier() == 255);
}

TEST_CASE("an event over the size limit is refused before it is built") {
  EventBuilder builder;
  set_required(builder);
  const std::string large(limits::kEventBytesMax / 2, 'x');
  CHECK(builder.set(path("referral.narrative"), large));
  CHECK_FALSE(builder.set(path("referral.reason_text"), large));
}

TEST_CASE("every field of event.fbs can be set and is read back, whatever the order") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<std::pair<std::string, std::string>> wanted;
  EventBuilder builder;
  for (const auto& name : event_field_names()) {
    const auto leaf = path(name);
    // Both elements of every list: bit i of `items` is the index in the i-th list.
    for (std::uint32_t items = 0; items < (1U << leaf.open_lists()); ++items) {
      std::vector<std::uint32_t> indices;
      for (std::size_t i = 0; i < leaf.open_lists(); ++i) indices.push_back((items >> i) & 1U);
      wanted.emplace_back(leaf.at(indices).text(), some_value(leaf, random));
    }
  }
  REQUIRE(wanted.size() > 500);
  std::shuffle(wanted.begin(), wanted.end(), random);
  for (const auto& [field, value] : wanted) set(builder, field, value);
  const auto bytes = finish(builder);
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);

  std::map<std::string, std::string> found;
  visit_fields(*event,
               [&found](const std::string& field, std::string_view value) { found.emplace(field, value); });
  CHECK(found == std::map<std::string, std::string>(wanted.begin(), wanted.end()));
  for (const auto& [field, value] : wanted) {
    CHECK(field_values(*event, path(field)) == std::vector<std::string>{value});
  }

  std::shuffle(wanted.begin(), wanted.end(), random);
  for (const auto& [field, value] : wanted) set(builder, field, value);
  CHECK(finish(builder) == bytes);
}

TEST_CASE("an event of forty fields", "[.benchmark]") {
  std::vector<std::pair<FieldPath, std::string>> values;
  std::mt19937 random(1);
  for (const auto& name : event_field_names()) {
    const auto leaf = path(name);
    if (values.size() < 40)
      values.emplace_back(leaf.at(std::vector<std::uint32_t>(leaf.open_lists(), 0)),
                          some_value(leaf, random));
  }
  const auto start = std::chrono::steady_clock::now();
  constexpr int kRounds = 10'000;
  std::size_t total = 0;
  for (int i = 0; i < kRounds; ++i) {
    EventBuilder builder;
    for (const auto& [field, value] : values)
      if (!builder.set(field, value)) FAIL(field.text());
    total += builder.finish()->size();
  }
  const auto took = std::chrono::steady_clock::now() - start;
  WARN(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count() / kRounds
       << " ns an event, " << total / kRounds << " bytes");
}
