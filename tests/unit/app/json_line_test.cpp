#include "broker/app/json_line.hpp"

#include <catch2/catch.hpp>

using carehub::app::JsonLine;
using carehub::app::JsonList;

TEST_CASE("an object keeps the order in which it was built, and an empty one is an object still") {
  CHECK(JsonLine().text() == "{}");
  JsonLine line;
  line.add("b", "text").add("a", std::uint64_t{18446744073709551615U}).add_flag("yes", true);
  CHECK(line.add_flag("no", false).text() ==
        R"({"b":"text","a":18446744073709551615,"yes":true,"no":false})");
}

TEST_CASE("a text cannot break out of its quotes or its line") {
  const std::string line = JsonLine().add("t\"", "a\"},\n\\\x01\x1b").text();
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.starts_with(R"({"t\"":"a\"},\n\\)"));
}

TEST_CASE("a list holds texts and finished values") {
  CHECK(JsonList().text() == "[]");
  JsonList list;
  list.add("a\"b").add_json("{\"c\":1}").add("");
  CHECK(list.text() == R"(["a\"b",{"c":1},""])");
  CHECK(JsonLine().add_json("all", list.text()).text() == R"({"all":["a\"b",{"c":1},""]})");
}
