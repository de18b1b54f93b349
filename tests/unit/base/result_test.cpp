#include "broker/base/result.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace carehub;

TEST_CASE("a result is a value or an error with a kind") {
  const Result<int> good = 7;
  const Result<int> bad = fail(ErrorKind::overloaded, "the queue is full. Send again later.");
  CHECK(*good == 7);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().kind == ErrorKind::overloaded);
}

TEST_CASE("every error kind has a name of its own") {
  std::set<std::string> names;
  for (const auto kind :
       {ErrorKind::invalid, ErrorKind::conflict, ErrorKind::overloaded, ErrorKind::unavailable,
        ErrorKind::not_found, ErrorKind::corrupt, ErrorKind::denied}) {
    names.insert(to_string(kind));
  }
  CHECK(names.size() == 7);
}
