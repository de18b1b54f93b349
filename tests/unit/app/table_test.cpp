#include "broker/app/table.hpp"

#include <catch2/catch.hpp>
#include <sstream>

using namespace carehub::app;

TEST_CASE("columns are as wide as their longest cell, in characters") {
  std::ostringstream out;
  print_table(out, {"name", "n"}, {{"Zo\xC3\xAB", "1"}, {"Arthur", "22"}});
  CHECK(out.str() == "name    n\nZo\xC3\xAB     1\nArthur  22\n");
}

TEST_CASE("a name cannot steer the terminal") {
  CHECK(printable("a\x1b[2Jb\nc\x7f") == "a?[2Jb?c?");
  CHECK(printable("x\xC2\x9By") == "x?y");
  CHECK(printable("Zo\xC3\xAB") == "Zo\xC3\xAB");
}
