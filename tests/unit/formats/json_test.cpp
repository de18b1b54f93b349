#include "adapters/formats/json.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("values are found by path") {
  const auto document =
      json::Document::parse(R"({"a":{"b":[{"x":1},{"x":"two"}]},"t":true,"n":null,"d":1.5})");
  REQUIRE(document);
  const auto at = [&](const char* path, std::vector<std::uint32_t> indices = {}) {
    const auto value = document->root().at(*json::Path::parse(path), indices);
    return value ? value->scalar() : std::string("(absent)");
  };
  CHECK(at("a.b[0].x") == "1");
  CHECK(at("$.a.b[].x", {1}) == "two");
  CHECK(at("a.b[5].x") == "(absent)");
  CHECK(at("t") == "true");
  CHECK(at("d") == "1.5");
  CHECK(document->root().at(*json::Path::parse("n"), {})->kind() == json::Kind::null);
  CHECK(document->root().count(*json::Path::parse("a.b[].x"), {}) == 2);
}

TEST_CASE("a document that is not well-formed is refused with line and column") {
  const auto bad = json::Document::parse("{\n  \"a\": tru\n}");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().text.find("line 2") != std::string::npos);
  CHECK_FALSE(json::Document::parse(""));
  CHECK_FALSE(json::Document::parse("{} {}"));
  CHECK_FALSE(json::Document::parse(std::string(100, '[') + std::string(100, ']')));
}

TEST_CASE("a number that 64 bits do not hold is refused wherever it stands, and never told as another") {
  for (const std::string text : {"1e400", "0e400", "99999999999991999999", "-9999999999999999999",
                                 R"({"a": [1, {"b": -30103E10150515}]})"}) {
    CAPTURE(text);
    const auto document = json::Document::parse(text);
    REQUIRE_FALSE(document);
    CHECK(document.error().text.find("send it as text") != std::string::npos);
  }
  CHECK(json::Document::parse("18446744073709551615")->root().scalar() == "18446744073709551615");
  CHECK(json::Document::parse("-9223372036854775808")->root().scalar() == "-9223372036854775808");
}

TEST_CASE("a path that cannot be is refused") {
  for (const std::string text : {"", "a.", "a..b", "a[", "a[x]", "a[-1]", "a]b", "a\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(json::Path::parse(text));
  }
  std::string deep = "a";
  while (deep.size() < json::Document::kDepthMax * 2 - 1) deep += ".a";
  CHECK(json::Path::parse(deep));
  CHECK_FALSE(json::Path::parse(deep + ".a"));
}

TEST_CASE("an object is built by path, without gaps in its lists") {
  json::Writer writer;
  const std::vector<std::uint32_t> second{1};
  const std::vector<std::uint32_t> fifth{4};
  writer.set_text(*json::Path::parse("names[].family"), second, "Ash");
  writer.set_text(*json::Path::parse("names[].family"), fifth, "Oak");
  writer.set_number(*json::Path::parse("tier"), {}, 4);
  CHECK(writer.finish(false) == R"({"names":[{"family":"Ash"},{"family":"Oak"}],"tier":4})");
}
