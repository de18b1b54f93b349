#include "broker/base/event_schema.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using event_schema::event_table;

TEST_CASE("the schema knows the fields of Event in schema order") {
  const auto& event = event_table();
  CHECK(event.name == "Event");
  REQUIRE(event.fields.size() > 30);
  CHECK(event.fields.front().name == "id");
  CHECK(event.fields.front().required);
  CHECK(event.fields.front().offset == event::Event::VT_ID);
  CHECK(event.find("admission")->offset == event::Event::VT_ADMISSION);
  CHECK(event.find("admission")->table->find("tier")->offset == event::Admission::VT_TIER);
  CHECK(event.find("absent") == nullptr);
}

TEST_CASE("a field has its kind, its size and its range") {
  const auto& event = event_table();
  CHECK(event.find("type")->kind == FieldKind::enumeration);
  CHECK(event.find("type")->enumeration->names.size() >= 20);
  CHECK(event.find("occurred_at")->kind == FieldKind::time);
  CHECK(event.find("occurred_at")->size == sizeof(event::Time));
  CHECK(event.find("received_at")->is_signed);
  CHECK(event.find("received_at")->min == INT64_MIN);
  CHECK(event.find("restrictions")->list);
  CHECK(event.find("restrictions")->size == 1);
  const auto* beds = event.find("capacity")->table->find("beds");
  CHECK(beds->min == 0);
  CHECK(beds->max == 4'294'967'295);
}

TEST_CASE("every table is written with its largest fields first, each once") {
  for (const auto& field : event_table().fields) {
    if (field.kind != FieldKind::table) continue;
    INFO(field.name);
    CHECK(field.table->write_order.size() == field.table->fields.size());
    std::size_t before = 16;
    for (const auto id : field.table->write_order) {
      const auto& written = field.table->fields[id];
      const std::size_t size = written.list ? 4 : written.size;
      CHECK(size <= before);
      before = size;
    }
  }
}

TEST_CASE("enumerations turn names into numbers and back") {
  const auto& types = *event_table().find("type")->enumeration;
  CHECK(types.value_of("admission") == 3);
  CHECK(types.value_of("absent") == -1);
  CHECK(types.value_of("") == -1);
  CHECK(types.name_of(3) == "admission");
  CHECK(types.name_of(200) == "unknown");
}
