#include "adapters/channel/pack.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "adapters/channel/interpreter.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

const std::string kHead =
    "[pack]\nname = \"p\"\nversion = \"1\"\nformat = \"hl7v2\"\ndirection = \"in\"\nidentity = "
    "[\"MSH-10\"]\n";

/// The faults' texts, or "good".
std::string faults_of(const std::string& text, const std::optional<std::string>& overrides = std::nullopt) {
  std::vector<ConfigFault> faults;
  std::optional<ConfigDocument> second;
  if (overrides) second = ConfigDocument::parse(*overrides, "own.toml");
  const auto pack = read_pack(ConfigDocument::parse(text, "pack.toml"), std::move(second), faults);
  if (pack != nullptr) return "good";
  std::string all;
  for (const ConfigFault& fault : faults) all += to_string(fault) + "\n";
  return all;
}

std::string with_field(const std::string& field) {
  return kHead +
         "[table.sex]\nM = \"male\"\n[[message]]\nname = \"m\"\nevent = \"admission\"\n[[message.field]]\n" +
         field;
}

}  // namespace

TEST_CASE("the packs that come with the project are good") {
  const auto root = std::filesystem::path(CAREHUB_SOURCE_DIR) / "adapters";
  for (const char* name : {"hospital/hl7v2.toml", "council/events.toml", "school/referrals.toml",
                           "school/notices.toml", "notices/tier4.toml"}) {
    std::vector<ConfigFault> faults;
    const auto pack = load_pack(root / name, std::nullopt, faults);
    for (const ConfigFault& fault : faults) UNSCOPED_INFO(to_string(fault));
    CAPTURE(name);
    CHECK(pack != nullptr);
  }
}

TEST_CASE("every fault of a pack is told with its place") {
  CHECK(faults_of(with_field("to = \"person.sex\"\nfrom = \"PID-8\"\ntable = \"sex\"\n")) == "good");
  CHECK(faults_of(with_field("to = \"person.sexx\"\nfrom = \"PID-8\"\n")).find("pack.toml:13:") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.sex\"\nfrom = \"PID8\"\n")).find("is not a place") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.sex\"\nvalue = \"man\"\n")).find("not a value") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.sex\"\nfrom = \"PID-8\"\ntable = \"sez\"\n")).find("`sex`") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.names[].family\"\nfrom = \"PID-5\"\n")).find("more `[]`") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.sex\"\n")).find("one of `from`") != std::string::npos);
  CHECK(faults_of(with_field("to = \"person.upn\"\nfrom = \"PID-8\"\nas = \"upm\"\n")).find("`upn`") !=
        std::string::npos);
  CHECK(faults_of(with_field("to = \"person.upn\"\nfrm = \"PID-8\"\nfrom = \"PID-8\"\n")).find("frm") !=
        std::string::npos);
  CHECK(faults_of("").find("no [pack]") != std::string::npos);
  const std::string ignored = kHead + "[[message]]\nname = \"m\"\nignore = true\n";
  CHECK(faults_of(ignored) == "good");
  CHECK(faults_of(ignored + "event = \"admission\"\n").find("event") != std::string::npos);
  CHECK(faults_of(with_field("to = \"person.names[].family\"\nfrom = \"PID-9[]\"\nafter = [\"NK1[]-5[]\"]\n"))
            .find("no list that `to` has") != std::string::npos);
  CHECK(faults_of(kHead + "processing_ids = [\"P\"]\n" +
                  "[[message]]\nname = \"m\"\nevent = \"admission\"\n") == "good");
}

TEST_CASE("a channel's own file replaces fields and adds codes") {
  const std::string standard = with_field("to = \"person.sex\"\nfrom = \"PID-8\"\ntable = \"sex\"\n");
  CHECK(faults_of(standard, "[table.sex]\nW = \"female\"\n") == "good");
  CHECK(faults_of(standard, "[table.sex]\nW = 1\n").find("own.toml:2:") != std::string::npos);
  std::vector<ConfigFault> faults;
  const auto pack =
      read_pack(ConfigDocument::parse(standard, "pack.toml"),
                ConfigDocument::parse("[table.sex]\nW = \"female\"\n[[field]]\nto = \"person.sex\"\n"
                                      "from = \"ZPI-1\"\ntable = \"sex\"\n",
                                      "own.toml"),
                faults);
  REQUIRE(pack != nullptr);
  REQUIRE(pack->messages.size() == 1);
  REQUIRE(pack->messages[0].fields.size() == 1);
  CHECK(pack->messages[0].fields[0].from[0].text == "ZPI-1");
  CHECK(pack->messages[0].fields[0].table->values.size() == 2);
}
