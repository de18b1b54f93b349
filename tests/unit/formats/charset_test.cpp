#include "adapters/formats/charset.hpp"

#include <catch2/catch.hpp>

using namespace carehub::adapters;

TEST_CASE("character sets are known by the names that are met") {
  CHECK(charset_from("8859/1") == Charset::latin1);
  CHECK(charset_from("UNICODE UTF-8") == Charset::utf8);
  CHECK(charset_from("WINDOWS-1252") == Charset::windows1252);
  CHECK(charset_from("ascii") == Charset::ascii);
  CHECK_FALSE(charset_from("ISO IR87"));
}

TEST_CASE("what a character set does not define is replaced, and the rest goes on") {
  CHECK(to_utf8("Zo\xEB \x92", Charset::windows1252) == "Zo\xC3\xAB \xE2\x80\x99");
  CHECK(to_utf8("a\x81"
                "b",
                Charset::windows1252) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(to_utf8("a\xFF"
                "b",
                Charset::utf8) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(to_utf8("Zo\xEB", Charset::latin1) == "Zo\xC3\xAB");
}

TEST_CASE("text goes out in Windows-1252 with a question mark for what it lacks") {
  CHECK(to_windows1252("Zo\xC3\xAB \xC5\x81!") == "Zo\xEB ?!");
}
