#include "broker/app/text_difference.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using app::changed_lines;
using Lines = std::vector<std::string>;

TEST_CASE("the lines that differ are told in their order, and nothing of what is common") {
  CHECK(changed_lines("a\nb\nc\n", "a\nb\nc\n").empty());
  CHECK(changed_lines("a\nb\nc\n", "a\nx\nc\n") == Lines{"- b", "+ x"});
  CHECK(changed_lines("a\nb\nc\nd\n", "b\nc\ne\nd\n") == Lines{"- a", "+ e"});
  CHECK(changed_lines("", "a\nb") == Lines{"+ a", "+ b"});
  CHECK(changed_lines("a\nb", "") == Lines{"- a", "- b"});
  CHECK(changed_lines("a\nb", "b\na") == Lines{"- a", "+ a"});
}

TEST_CASE("two long texts that have little in common are told whole") {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) {
    before += "b" + std::to_string(i) + "\n";
    after += "a" + std::to_string(i) + "\n";
  }
  const auto changed = changed_lines("same\n" + before + "end\n", "same\n" + after + "end\n");
  REQUIRE(changed.size() == 6000);
  CHECK(changed.front() == "- b0");
  CHECK(changed.back() == "+ a2999");
}
