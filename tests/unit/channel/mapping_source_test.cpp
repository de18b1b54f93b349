#include "adapters/channel/mapping_source.hpp"

#include <catch2/catch.hpp>

#include "broker/base/event_builder.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

std::string found(const Source& source, Format format, const std::string& path,
                  std::vector<std::uint32_t> indices = {}) {
  const auto parsed = parse_source_path(format, path);
  REQUIRE(parsed);
  std::string scratch;
  const Found at = source.find(*parsed, indices, scratch);
  return at.null ? "(null)" : at.present ? std::string(at.text) : "(absent)";
}

}  // namespace

TEST_CASE("an HL7 message is read by path, segments and repetitions bound from the left") {
  const auto message = hl7v2::Message::parse("MSH|^~\\&|A\rNK1|1|Ash||| 1~2 \rNK1|2|Oak\\T\\Elm|||3|\"\"\r");
  REQUIRE(message);
  const Hl7Source source(*message);
  CHECK(source.count(*parse_source_path(Format::hl7v2, "NK1[]-5[].1"), {}) == 2);
  const std::vector<std::uint32_t> first{0};
  CHECK(source.count(*parse_source_path(Format::hl7v2, "NK1[]-5[].1"), first) == 2);
  CHECK(found(source, Format::hl7v2, "NK1[]-5[].1", {0, 1}) == "2");
  CHECK(found(source, Format::hl7v2, "NK1[]-5[].1", {1, 0}) == "3");
  CHECK(found(source, Format::hl7v2, "NK1[2]-2") == "Oak&Elm");
  CHECK(found(source, Format::hl7v2, "NK1[2]-6") == "(null)");
  CHECK(found(source, Format::hl7v2, "NK1[3]-2") == "(absent)");
  const std::vector<std::uint32_t> both{1, 2};
  CHECK(source.place(*parse_source_path(Format::hl7v2, "NK1[]-5[].1"), both) == "NK1[2]-5[3].1");
}

TEST_CASE("a view is read by the paths of event.fbs") {
  EventBuilder builder;
  REQUIRE(builder.set(*FieldPath::parse("id"), "e"));
  REQUIRE(builder.set(*FieldPath::parse("source_agency"), "a"));
  REQUIRE(builder.set(*FieldPath::parse("person.names[0].given[0]"), "Rosa"));
  REQUIRE(builder.set(*FieldPath::parse("person.names[1].given[0]"), "Ro"));
  REQUIRE(builder.set(*FieldPath::parse("person.names[1].given[1]"), "Jane"));
  const Bytes bytes = *builder.finish();
  const EventSource source(*verified_event(bytes));
  const auto path = parse_source_path(Format::event, "person.names[].given[]");
  REQUIRE(path);
  CHECK(source.count(*path, {}) == 2);
  const std::vector<std::uint32_t> second{1};
  CHECK(source.count(*path, second) == 2);
  CHECK(found(source, Format::event, "person.names[].given[]", {1, 1}) == "Jane");
  CHECK(found(source, Format::event, "person.upn") == "(absent)");
}

TEST_CASE("a row is read by its columns' names") {
  const csv::Header header({"Name", "UPN"});
  const csv::Row row{.line = 3, .fields = {" Ash ", ""}, .text = {}};
  const CsvSource source(header, row);
  CHECK(found(source, Format::csv, "name") == "Ash");
  CHECK(found(source, Format::csv, "UPN") == "(absent)");
  CHECK(found(source, Format::csv, "School") == "(absent)");
  CHECK(source.place(*parse_source_path(Format::csv, "UPN"), {}) == "line 3, column UPN");
}

TEST_CASE("a path has four open lists at most, whatever the format") {
  CHECK(parse_source_path(Format::json, "a[].b[].c[].d[].e"));
  const auto deep = parse_source_path(Format::json, "a[].b[].c[].d[].e[].f");
  REQUIRE_FALSE(deep);
  CHECK(deep.error().text.find("has more than 4 `[]`; write an index") != std::string::npos);
}
