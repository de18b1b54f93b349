#include "broker/app/csv_line.hpp"

#include <catch2/catch.hpp>

using carehub::app::CsvLine;

TEST_CASE("a CSV line quotes what would break it") {
  CHECK(CsvLine()
            .add("a")
            .add("")
            .add(std::uint64_t{7})
            .add("b, c")
            .add("say \"no\"")
            .add("two\nlines")
            .text() == "a,,7,\"b, c\",\"say \"\"no\"\"\",\"two\nlines\"");
}

TEST_CASE("a cell that a spreadsheet would take for a formula is neutralised") {
  for (const auto* formula : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"}) {
    CHECK(CsvLine().add(formula).text() == "\"'" + std::string(formula) + "\"");
  }
  CHECK(CsvLine().add("a=1").text() == "a=1");
}
