#include "adapters/channel/interpreter_explain.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "adapters/channel/mapping.hpp"
#include "tests/unit/channel/pack_channel.hpp"

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("a message that is ignored is explained as such") {
  const PackChannel channel("hospital/hl7v2.toml");
  const auto explained = explain(
      channel.pack, channel.options,
      bytes_from(
          "MSH|^~\\&|PAS|RZX01|HUB|N|20260301093000||ADT^A08|M1|P|2.4\rPID|1||E1^^^RZX01^MR\rPV1|1|O\r"),
      {});
  REQUIRE(explained.size() == 1);
  CHECK(explained[0].ignored);
  CHECK(explained[0].kind == "update outside a stay");
  CHECK_FALSE(explained[0].publication.problem);
}

TEST_CASE("a message is explained without touching anything") {
  const PackChannel channel("hospital/hl7v2.toml");
  const auto explained = explain(
      channel.pack, channel.options,
      bytes_from(
          "MSH|^~\\&|PAS|RZX01|HUB|N|20260301093000||ADT^A01|M1|P|2.4\rPID|1||E1^^^RZX01^MR||Fernley^Rosa\r"
          "PV1|1|I|KES^^^RZX01\rZZZ|1\r"),
      {});
  REQUIRE(explained.size() == 1);
  CHECK(explained[0].kind == "admission");
  CHECK(explained[0].faults.empty());
  CHECK(explained[0].unmapped == std::vector<std::string>{"ZZZ"});
  const auto family =
      std::find_if(explained[0].values.begin(), explained[0].values.end(),
                   [](const MappedValue& one) { return one.target == "person.names[0].family"; });
  REQUIRE(family != explained[0].values.end());
  CHECK(family->source == "PID-5.1");
  REQUIRE(explained[0].answer_refused.size() == 1);
  CHECK(explained[0].answer_refused[0].find("MSA|AE|M1") != std::string::npos);
}
