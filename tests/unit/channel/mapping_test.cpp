#include "adapters/channel/mapping.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace carehub;
using namespace carehub::adapters;

namespace {

const std::string kHead =
    "[pack]\nname = \"p\"\nversion = \"1\"\nformat = \"json\"\ndirection = \"in\"\nidentity = [\"id\"]\n"
    "[table.tier]\nKES = \"4\"\n[[message]]\nname = \"m\"\nevent = \"admission\"\n";

struct Outcome {
  std::map<std::string, std::string> values;
  std::vector<MappingFault> faults;
  std::vector<MappingFault> warnings;
};

/// Maps a JSON document by one or more fields.
Outcome map(const std::string& fields, const std::string& document) {
  std::vector<ConfigFault> faults;
  const auto pack = read_pack(ConfigDocument::parse(kHead + fields, "pack.toml"), std::nullopt, faults);
  for (const ConfigFault& fault : faults) UNSCOPED_INFO(to_string(fault));
  REQUIRE(pack != nullptr);
  const auto parsed = json::Document::parse(document);
  REQUIRE(parsed);
  const json::Value root = parsed->root();
  const JsonSource source(root, "$");
  EventBuilder builder;
  std::vector<MappedValue> values;
  Mapping mapping = map_message(*pack, pack->messages[0], source, builder, &values);
  Outcome outcome{{}, std::move(mapping.faults), std::move(mapping.warnings)};
  for (const MappedValue& value : values) outcome.values[value.target] = value.value;
  return outcome;
}

std::string field(const std::string& keys) { return "[[message.field]]\n" + keys + "\n"; }

}  // namespace

TEST_CASE("the first alternative that is present wins, and a null stops the search") {
  const std::string rule = field("to = \"admission.reason_text\"\nfrom = [\"a\", \"b\"]\ndefault = \"none\"");
  CHECK(map(rule, R"({"a":"x","b":"y"})").values["admission.reason_text"] == "x");
  CHECK(map(rule, R"({"b":"y"})").values["admission.reason_text"] == "y");
  CHECK(map(rule, R"({})").values["admission.reason_text"] == "none");
  CHECK(map(rule, R"({"a":null,"b":"y"})").values.empty());
}

TEST_CASE("an earlier field wins over a later one with the same target") {
  const std::string rules = field("to = \"admission.reason_text\"\nfrom = \"a\"") +
                            field("to = \"admission.reason_text\"\nvalue = \"later\"");
  CHECK(map(rules, R"({"a":"x"})").values["admission.reason_text"] == "x");
  CHECK(map(rules, R"({})").values["admission.reason_text"] == "later");
}

TEST_CASE("lists are bound element by element, one list after another") {
  const std::string rules =
      field("to = \"person.names[].family\"\nfrom = \"names[].f\"") +
      field("to = \"person.names[].family\"\nfrom = \"aliases[].f\"\nafter = [\"names[]\"]") +
      field("to = \"person.names[].use\"\nvalue = \"alias\"\neach = \"aliases[].f\"\nafter = [\"names[]\"]");
  auto values = map(rules, R"({"names":[{"f":"Ash"},{"f":"Elm"}],"aliases":[{"f":"Oak"}]})").values;
  CHECK(values["person.names[1].family"] == "Elm");
  CHECK(values["person.names[2].family"] == "Oak");
  CHECK(values["person.names[2].use"] == "alias");
  CHECK_FALSE(values.contains("person.names[0].use"));
}

TEST_CASE("a list that the target lacks gives its first element that fits, or all joined") {
  const std::string first =
      field("to = \"person.upn\"\nfrom = \"ids[].v\"\nwhen = [{ path = \"ids[].t\", equals = \"UPN\" }]");
  CHECK(map(first, R"({"ids":[{"t":"X","v":"1"},{"t":"UPN","v":"2"},{"t":"UPN","v":"3"}]})")
            .values["person.upn"] == "2");
  const std::string all = field("to = \"admission.reason_text\"\nfrom = \"notes[]\"\njoin = \"; \"");
  CHECK(map(all, R"({"notes":["a","","b"]})").values["admission.reason_text"] == "a; b");
}

TEST_CASE("a code that the table lacks is a fault, left out, kept or replaced as the field says") {
  const std::string rule = "to = \"admission.tier\"\nfrom = \"ward\"\ntable = \"tier\"\n";
  CHECK(map(field(rule), R"({"ward":"KES"})").values["admission.tier"] == "4");
  const auto outcome = map(field(rule), R"({"ward":"Tier 4 unit"})");
  REQUIRE(outcome.faults.size() == 1);
  CHECK(outcome.faults[0].code == "unknown_code");
  CHECK(outcome.faults[0].place == "$.ward");
  CHECK(outcome.faults[0].hl7_code == 103);
  CHECK(outcome.faults[0].text.find("Tier 4 unit") == std::string::npos);
  CHECK(map(field(rule + "unknown = \"omit\""), R"({"ward":"x"})").values.empty());
  CHECK(map(field(rule + "unknown = \"keep\""), R"({"ward":"3"})").values["admission.tier"] == "3");
  CHECK(map(field(rule + "otherwise = \"1\""), R"({"ward":"x"})").values["admission.tier"] == "1");
}

TEST_CASE("all faults of a message are gathered; what may be left out is a warning") {
  const std::string rules = field("to = \"person.nhs_number\"\nfrom = \"nhs\"\nas = \"nhs_number\"") +
                            field("to = \"person.birth_date\"\nfrom = \"born\"\nrequired = true") +
                            field("to = \"occurred_at\"\nfrom = \"at\"\ninvalid = \"omit\"");
  const auto outcome = map(rules, R"({"nhs":"9990000019","at":"soon"})");
  REQUIRE(outcome.faults.size() == 2);
  CHECK(outcome.faults[0].place == "$.nhs");
  CHECK(outcome.faults[1].code == "missing_field");
  CHECK(outcome.faults[1].place == "$.born");
  REQUIRE(outcome.warnings.size() == 1);
  CHECK(outcome.warnings[0].place == "$.at");
}

TEST_CASE("conditions hold or do not") {
  const auto set = [](const std::string& when, const std::string& document) {
    const std::string rule = "to = \"admission.reason_text\"\nvalue = \"x\"\nwhen = [" + when + "]";
    return !map(field(rule), document).values.empty();
  };
  CHECK(set("{ path = \"a\", in = [\"1\", \"2\"] }", R"({"a":2})"));
  CHECK_FALSE(set("{ path = \"a\", in = [\"1\", \"2\"] }", R"({"a":3})"));
  CHECK(set("{ path = \"a\", not_in = [\"1\"] }", R"({})"));
  CHECK(set("{ path = \"a\", absent = true }", R"({"a":""})"));
  CHECK_FALSE(set("{ path = \"a\", present = true }", R"({"a":null})"));
  CHECK(set("{ path = \"a[]\", equals = \"y\" }", R"({"a":["x","y"]})"));
  CHECK(set("{ path = \"a\", is = \"ods\" }", R"({"a":"RZX01"})"));
  CHECK_FALSE(set("{ path = \"a\", is = \"ods\" }", R"({"a":"General Hospital"})"));
}
