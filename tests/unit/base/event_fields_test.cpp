#include "broker/base/event_fields.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <set>

#include "broker/base/event_builder.hpp"
#include "broker/base/limits.hpp"

using namespace carehub;

namespace {

FieldPath path(std::string_view text) {
  const auto parsed = FieldPath::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string parse_error(std::string_view text) {
  const auto parsed = FieldPath::parse(text);
  INFO(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().kind == ErrorKind::invalid);
  return parsed.error().text;
}

Bytes sample() {
  event::EventT event;
  event.id = "e-1";
  event.source_agency = "elwick-hospital";
  event.type = event::EventType::admission;
  event.person = std::make_unique<event::PersonT>();
  event.person->birth_date =
      std::make_unique<event::Date>(static_cast<std::int16_t>(2012), std::uint8_t{5}, std::uint8_t{3});
  for (const char* family : {"Thornby", "Holt"}) {
    auto name = std::make_unique<event::NameT>();
    name->family = family;
    name->given = {"Ada", "Rose"};
    event.person->names.push_back(std::move(name));
  }
  event.admission = std::make_unique<event::AdmissionT>();
  event.admission->tier = 4;
  event.restrictions = {event::Restriction::adopted, event::Restriction::other};
  flatbuffers::FlatBufferBuilder builder;
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace

TEST_CASE("a path names a field of event.fbs") {
  CHECK(path("admission.location.ward").kind() == FieldKind::text);
  CHECK(path("admission.tier").kind() == FieldKind::integer);
  CHECK(path("type").kind() == FieldKind::enumeration);
  CHECK(path("person.birth_date").kind() == FieldKind::date);
  CHECK(path("admission.admitted_at").kind() == FieldKind::time);
  CHECK(path("admission").kind() == FieldKind::table);
  CHECK(path("restrictions[1]").kind() == FieldKind::enumeration);
  CHECK(path("person.names[0].given[1]").text() == "person.names[0].given[1]");
}

TEST_CASE("a list without brackets means every element") {
  CHECK(path("person.names.given").text() == "person.names[].given[]");
  CHECK(path("person.names.given").open_lists() == 2);
  CHECK(path("person.names[0].given").open_lists() == 1);
  CHECK(path("person.names[0].given[1]").open_lists() == 0);
}

TEST_CASE("a path that does not exist is an error with the nearest name") {
  CHECK_THAT(parse_error("admission.location.wrad"), Catch::Contains("`wrad`") && Catch::Contains("`ward`"));
  CHECK_THAT(parse_error("admision.tier"), Catch::Contains("`admission`"));
  CHECK_THAT(parse_error("admission.tier.x"), Catch::Contains("holds a value"));
  CHECK_THAT(parse_error("admission.tier[0]"), Catch::Contains("not a list"));
  CHECK_THAT(parse_error("person.names[-1].family"), Catch::Contains("brackets"));
  CHECK_THAT(parse_error("person.names[1"), Catch::Contains("brackets"));
  CHECK_THAT(parse_error("person.names[99999999999]"), Catch::Contains("brackets"));
  CHECK_THAT(parse_error("person.birth_date.year"), Catch::Contains("holds a value"));
  parse_error("");
  parse_error(".");
  parse_error("admission.");
  parse_error("person.names[0]given");
  CHECK(parse_error(std::string(10'000, 'x')).size() < 300);
}

TEST_CASE("no text makes the path parser do anything but answer") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto& names = event_field_names();
  for (int round = 0; round < 20'000; ++round) {
    std::string text = names[random() % names.size()];
    for (auto changes = random() % 4; changes > 0; --changes) {
      text.insert(random() % (text.size() + 1), 1, ".[]0-9a_"[random() % 8]);
      if (random() % 2 == 0) text.erase(random() % text.size(), 1);
    }
    const auto parsed = FieldPath::parse(text);
    if (parsed) CHECK(FieldPath::parse(parsed->text())->text() == parsed->text());
  }
}

TEST_CASE("a path covers itself and what lies below it") {
  CHECK(path("admission").covers(path("admission.location.ward")));
  CHECK(path("admission").covers(path("admission")));
  CHECK_FALSE(path("admission.location").covers(path("admission")));
  CHECK_FALSE(path("admission").covers(path("discharge.location.ward")));
  CHECK(path("person.names").covers(path("person.names[3].family")));
  CHECK(path("person.names[]").covers(path("person.names[]")));
  CHECK(path("person.names[3]").covers(path("person.names[3].family")));
  CHECK_FALSE(path("person.names[3]").covers(path("person.names[4].family")));
  CHECK_FALSE(path("person.names[3]").covers(path("person.names[].family")));
}

TEST_CASE("open lists are filled from the left") {
  const std::vector<std::uint32_t> indices = {2, 5};
  const auto filled = path("person.names[].given[]").at(indices);
  CHECK(filled.text() == "person.names[2].given[5]");
  CHECK(filled.open_lists() == 0);
  CHECK(filled.kind() == FieldKind::text);
  CHECK(path("person.names[].given[]").at(std::span(indices).first(1)).text() == "person.names[2].given[]");
  CHECK(path("person.names[7].given[]").at(std::span(indices).first(1)).text() == "person.names[7].given[2]");
}

TEST_CASE("all field names are paths, each once, in schema order") {
  const auto& names = event_field_names();
  CHECK(names.front() == "id");
  CHECK(names.back() == "clock.stopped_by");
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (const auto& name : names) CHECK(path(name).text() == name);
}

TEST_CASE("enumerations are known by name") {
  const auto names = enumeration_names(path("person.sex"));
  CHECK(names == std::vector<std::string>{"unknown", "male", "female", "indeterminate", "not_known"});
  CHECK(enumeration_names(path("restrictions")).size() == 6);
  CHECK(enumeration_names(path("journey")).empty());
  CHECK(std::string(event_type_name(event::EventType::safeguarding_flag)) == "safeguarding_flag");
  CHECK(event_type_from("safeguarding_flag") == event::EventType::safeguarding_flag);
  CHECK(event_type_from("") == event::EventType::unknown);
  CHECK(event_type_from("no_such_type") == event::EventType::unknown);
}

TEST_CASE("values are read by path, in order, and absence is empty") {
  const auto bytes = sample();
  const auto* event = verified_event(bytes);
  REQUIRE(event != nullptr);
  using Texts = std::vector<std::string>;
  CHECK(field_values(*event, path("person.names[].family")) == Texts{"Thornby", "Holt"});
  CHECK(field_values(*event, path("person.names[1].given[0]")) == Texts{"Ada"});
  CHECK(field_values(*event, path("person.names[].given[1]")) == Texts{"Rose", "Rose"});
  CHECK(field_values(*event, path("person.birth_date")) == Texts{"2012-05-03"});
  CHECK(field_values(*event, path("admission.tier")) == Texts{"4"});
  CHECK(field_values(*event, path("restrictions")) == Texts{"adopted", "other"});
  CHECK(field_values(*event, path("person.names[9].family")).empty());
  CHECK(field_values(*event, path("discharge.tier")).empty());
  CHECK(field_values(*event, path("admission.urgency")).empty());
  CHECK(field_values(*event, path("admission")).empty());
}

TEST_CASE("a number written with its default value is absent") {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);
  event::EventT event;
  event.id = "e-1";
  event.source_agency = "a";
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  std::vector<std::string> seen;
  visit_fields(*verified_event(bytes),
               [&seen](const std::string& field, std::string_view) { seen.push_back(field); });
  CHECK(seen == std::vector<std::string>{"id", "source_agency"});
}

TEST_CASE("a visit shows every present leaf with its concrete path") {
  const auto bytes = sample();
  std::vector<std::string> seen;
  visit_fields(*verified_event(bytes), [&seen](const std::string& field, std::string_view value) {
    seen.push_back(field + "=" + std::string(value));
  });
  CHECK(seen == std::vector<std::string>{"id=e-1", "type=admission", "source_agency=elwick-hospital",
                                         "person.names[0].family=Thornby", "person.names[0].given[0]=Ada",
                                         "person.names[0].given[1]=Rose", "person.names[1].family=Holt",
                                         "person.names[1].given[0]=Ada", "person.names[1].given[1]=Rose",
                                         "person.birth_date=2012-05-03", "restrictions[0]=adopted",
                                         "restrictions[1]=other", "admission.tier=4"});
}

TEST_CASE("an enumeration number of a newer writer reads as unknown") {
  flatbuffers::FlatBufferBuilder builder;
  event::EventT event;
  event.id = "e-1";
  event.source_agency = "a";
  event.type = static_cast<event::EventType>(200);
  event::FinishEventBuffer(builder, event::Event::Pack(builder, &event));
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  CHECK(field_values(*verified_event(bytes), path("type")) == std::vector<std::string>{"unknown"});
}

TEST_CASE("bytes that are cut, changed or foreign are no event") {
  const auto bytes = sample();
  CHECK(verified_event(bytes) != nullptr);
  CHECK(verified_event({}) == nullptr);
  for (std::size_t size = 0; size < 40; ++size)
    CHECK(verified_event(BytesView(bytes).first(size)) == nullptr);
  auto foreign = bytes;
  foreign[4] = 'X';
  CHECK(verified_event(foreign) == nullptr);
  CHECK(verified_event(Bytes(limits::kEventBytesMax + 1)) == nullptr);
}

TEST_CASE("whatever the verifier lets pass can be walked") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto bytes = sample();
  int passed = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto changed = bytes;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      changed[random() % changed.size()] = static_cast<std::uint8_t>(random());
    }
    const auto* event = verified_event(changed);
    if (event == nullptr) continue;
    ++passed;
    std::size_t leaves = 0;
    visit_fields(*event, [&leaves](const std::string&, std::string_view) { ++leaves; });
    CHECK(leaves >= 2);
    CHECK(event_to_json(*event).front() == '{');
  }
  CHECK(passed > 0);
}
