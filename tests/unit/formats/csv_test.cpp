#include "adapters/formats/csv.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("rows are read by the names of the header") {
  const auto file = csv::read(
      "\xEF\xBB\xBFName, Date of Birth \r\n\"Ash, Nia\",2012-05-03\r\n\r\nOak,\"two\r\nlines \"\"q\"\"\"\r\n",
      ',', Charset::windows1252);
  REQUIRE(file);
  REQUIRE(file->rows.size() == 2);
  CHECK(file->bad_rows.empty());
  CHECK(file->header.find("date of birth") == 1);
  CHECK_FALSE(file->header.find("school"));
  CHECK(file->rows[0].fields == std::vector<std::string>{"Ash, Nia", "2012-05-03"});
  CHECK(file->rows[0].line == 2);
  CHECK(file->rows[1].fields[1] == "two\r\nlines \"q\"");
  CHECK(file->rows[1].line == 4);
}

TEST_CASE("a bad row is set aside and the good ones go on") {
  const auto file = csv::read("a,b\n1,2\n3\n4,5,6\n7,x\"y\n8,9", ',', Charset::windows1252);
  REQUIRE(file);
  REQUIRE(file->rows.size() == 2);
  CHECK(file->rows[1].fields[0] == "8");
  REQUIRE(file->bad_rows.size() == 3);
  CHECK(file->bad_rows[0].code == "too_few_columns");
  CHECK(file->bad_rows[0].line == 3);
  CHECK(file->bad_rows[1].code == "too_many_columns");
  CHECK(file->bad_rows[2].code == "bad_quote");
  CHECK(file->bad_rows[2].line == 5);
}

TEST_CASE("one lone quote does not eat the file") {
  std::string text = "a,b\n1,\"open\n";
  for (int i = 0; i < 20'000; ++i) text += "row" + std::to_string(i) + ",x\n";
  const auto file = csv::read(text, ',', Charset::windows1252);
  REQUIRE(file);
  REQUIRE(file->bad_rows.size() == 1);
  CHECK(file->bad_rows[0].line == 2);
  CHECK(file->bad_rows[0].code == "too_long");
  CHECK(file->rows.size() == 20'000);
  const auto small = csv::read("a,b\n1,\"open\n2,3\n", ',', Charset::windows1252);
  REQUIRE(small);
  CHECK(small->bad_rows[0].code == "unclosed_quote");
  CHECK(small->rows.size() == 1);
}

TEST_CASE("text that is not UTF-8 is taken for Windows-1252") {
  const auto file = csv::read("a\nZo\xEB\n", ',', Charset::windows1252);
  REQUIRE(file);
  CHECK(file->rows[0].fields[0] == "Zo\xC3\xAB");
}

TEST_CASE("a file without a header, or with a column twice, is refused") {
  CHECK_FALSE(csv::read("", ',', Charset::windows1252));
  CHECK_FALSE(csv::read("\r\n \r\n", ',', Charset::windows1252));
  CHECK_FALSE(csv::read("a,A\n1,2\n", ',', Charset::windows1252));
}

TEST_CASE("blanks at the ends of a field are still there when the row is read again") {
  const std::vector<std::string> row = {"x\t", " y", "\tz", "a b"};
  CHECK(csv::write_row(row, ',') == "\"x\t\",\" y\",'\tz,a b\r\n");
  const auto again = csv::read("a,b,c,d\r\n" + csv::write_row(row, ','), ',', Charset::windows1252);
  REQUIRE(again);
  CHECK(again->rows.at(0).fields == std::vector<std::string>{"x\t", " y", "'\tz", "a b"});
}

TEST_CASE("what a spreadsheet would run is written as text") {
  CHECK(csv::write_row({"=1+1", "@x", "-cmd", "-12.5", "+44 1632", "a,b", "q\"q", "plain", ""}, ',') ==
        "'=1+1,'@x,'-cmd,-12.5,+44 1632,\"a,b\",\"q\"\"q\",plain,\r\n");
}
