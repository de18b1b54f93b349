#include "adapters/channel/renderer.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "broker/base/event_builder.hpp"
#include "tests/unit/channel/pack_channel.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

wire::DeliveryT delivery() {
  const std::map<std::string, std::string> fields{{"id", "e-1"},
                                                  {"type", "admission"},
                                                  {"source_agency", "elwick-hospital"},
                                                  {"occurred_at", "2026-03-01"},
                                                  {"person.upn", "A123"},
                                                  {"person.names[0].family", "=Fernley"},
                                                  {"person.names[0].given[0]", "Rosa"},
                                                  {"admission.tier", "4"},
                                                  {"admission.reason_text", "Absent for health reasons"}};
  EventBuilder builder;
  for (const auto& [path, value] : fields) REQUIRE(builder.set(*FieldPath::parse(path), value));
  wire::DeliveryT delivery;
  delivery.sequence = 17;
  delivery.attempt = 2;
  delivery.appended_at = 1'772'357'400'000'000;
  delivery.type = event::EventType::admission;
  delivery.legal_basis = "Children Act 2004 s.10";
  delivery.late = true;
  delivery.view = *builder.finish();
  return delivery;
}

}  // namespace

TEST_CASE("without a pack a view is a CloudEvent") {
  const auto rendered = make_renderer(nullptr, {"northmarch"})->render(delivery());
  REQUIRE(rendered);
  CHECK(rendered->id == "e-1");
  CHECK(rendered->media_type.starts_with("application/cloudevents+json"));
  const std::string text(text_of(rendered->bytes));
  for (const char* part :
       {R"("specversion":"1.0")", R"("id":"e-1")", R"("source":"/northmarch/elwick-hospital")",
        R"("type":"uk.carehub.admission.v1")", R"("time":"2026-03-01T09:30:00.000Z")", R"("sequence":17)",
        R"("attempt":2)", R"("late":true)", R"("tier":4)"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("a school reads a row, and no formula runs in it") {
  const auto rendered = make_renderer(pack_named("school/notices.toml"))->render(delivery());
  REQUIRE(rendered);
  CHECK(text_of(rendered->bytes) ==
        "Notice,Kind,Date,UPN,Surname,Forename,What to know\r\n"
        "e-1,Absence,01/03/2026,A123,'=Fernley,Rosa,Absent for health reasons\r\n");
}

TEST_CASE("a pack makes an object of the partner's own") {
  const auto rendered = make_renderer(pack_named("notices/tier4.toml"))->render(delivery());
  REQUIRE(rendered);
  const std::string text(text_of(rendered->bytes));
  CHECK(text.find(R"("child":{"family_name":"=Fernley","given_names":["Rosa"]})") != std::string::npos);
  CHECK(text.find(R"("stay":{"tier":4})") != std::string::npos);
}

TEST_CASE("a view that is no event is not rendered") {
  wire::DeliveryT broken = delivery();
  broken.view.resize(10);
  CHECK_FALSE(make_renderer(nullptr)->render(broken));
}
