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

TEST_CASE("a list within a list follows another within the same element") {
  const std::string rules =
      field("to = \"person.contacts[].telecoms[].value\"\nfrom = \"c[].home[]\"") +
      field("to = \"person.contacts[].telecoms[].value\"\nfrom = \"c[].work[]\"\nafter = [\"c[].home[]\"]");
  auto values = map(rules, R"({"c":[{"home":["1","2"],"work":["3"]},{"work":["4"]}]})").values;
  CHECK(values.size() == 4);
  CHECK(values["person.contacts[0].telecoms[2].value"] == "3");
  CHECK(values["person.contacts[1].telecoms[0].value"] == "4");
}

TEST_CASE("the first element that fits is the only one, where several fields must be of the same") {
  const std::string when = "\nwhen = [{ path = \"p[].r\", equals = \"RP\" }]\nfirst_fit = true";
  const std::string rules =
      field("to = \"admission.consultant.identifier\"\nfrom = [\"p[].id\", \"p[].code\"]" + when) +
      field("to = \"admission.consultant.name\"\ncompose = [\"p[].given\", \"p[].family\"]" + when);
  auto values =
      map(rules, R"({"p":[{"r":"X","id":"0"},{"r":"RP","family":"Ash"},{"r":"RP","id":"2"}]})").values;
  CHECK(values["admission.consultant.name"] == "Ash");
  CHECK_FALSE(values.contains("admission.consultant.identifier"));
  CHECK(map(rules, R"({"p":[{"r":"RP","code":"7"},{"r":"RP","id":"2"}]})")
            .values["admission.consultant.identifier"] == "7");
  CHECK_FALSE(map(rules, R"({"p":[{"r":"RP","id":"1"},{"r":"RP","family":"Oak"}]})")
                  .values.contains("admission.consultant.name"));
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
  const auto omitted = map(field(rule + "unknown = \"omit\""), R"({"ward":"x"})");
  CHECK(omitted.values.empty());
  CHECK(omitted.faults.empty());
  REQUIRE(omitted.warnings.size() == 1);
  CHECK(omitted.warnings[0].place == "$.ward");
  CHECK(map(field(rule + "otherwise = \"\""), R"({"ward":"x"})").warnings.empty());
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

TEST_CASE("a message of a thousand bad values tells a hundred of them") {
  const std::string rule =
      "to = \"person.local_identifiers[].value\"\nfrom = \"ids[].d\"\nas = \"nhs_number\"\n";
  std::string document = "{\"ids\":[";
  for (int i = 0; i < 1000; ++i) document += std::string(i == 0 ? "" : ",") + "{\"d\":\"soon\"}";
  document += "]}";
  CHECK(map(field(rule), document).faults.size() == 100);
  const auto lenient = map(field(rule + "invalid = \"omit\""), document);
  CHECK(lenient.faults.empty());
  CHECK(lenient.warnings.size() == 100);
}

TEST_CASE("a message that repeats its lists without end is refused in one fault, which names the remedy") {
  const std::string rules = field("to = \"person.names[].given[]\"\nfrom = \"names[].g[]\"") +
                            field("to = \"person.names[].family\"\nfrom = \"names[].f\"");
  std::string document = "{\"names\":[";
  for (int i = 0; i < 100; ++i) {
    document += std::string(i == 0 ? "" : ",") + "{\"f\":\"Ash\",\"g\":[\"a\"";
    for (int j = 1; j < 100; ++j) document += ",\"a\"";
    document += "]}";
  }
  const auto outcome = map(rules, document + "]}");
  REQUIRE(outcome.faults.size() == 1);
  CHECK(outcome.faults[0].text.find("split it") != std::string::npos);
  CHECK_FALSE(outcome.values.contains("person.names[0].family"));
}

TEST_CASE("once an event is too large the rest of the message is not mapped") {
  const std::string rules = field("to = \"admission.reason_text\"\nfrom = \"notes[]\"\njoin = \" \"") +
                            field("to = \"person.names[].family\"\nfrom = \"names[]\"");
  const std::string large((1U << 20U) + 1, 'x');
  const auto outcome = map(rules, "{\"notes\":[\"" + large + "\"],\"names\":[\"Ash\",\"Elm\"]}");
  REQUIRE(outcome.faults.size() == 1);
  CHECK(outcome.values.empty());
}
