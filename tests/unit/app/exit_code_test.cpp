#include "broker/app/exit_code.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using app::exit_code;
using app::ExitCode;

TEST_CASE("each kind of error ends the program with the code that its README lists") {
  CHECK(exit_code(ErrorKind::invalid) == ExitCode::wrong_input);
  CHECK(exit_code(ErrorKind::conflict) == ExitCode::wrong_input);
  CHECK(exit_code(ErrorKind::overloaded) == ExitCode::unavailable);
  CHECK(exit_code(ErrorKind::unavailable) == ExitCode::unavailable);
  CHECK(exit_code(ErrorKind::corrupt) == ExitCode::corrupt);
  CHECK(exit_code(ErrorKind::denied) == ExitCode::denied);
  CHECK(exit_code(ErrorKind::not_found) == ExitCode::not_found);
}

TEST_CASE("the numbers that scripts depend on stay what they are") {
  CHECK(static_cast<int>(ExitCode::ok) == 0);
  CHECK(static_cast<int>(ExitCode::wrong_input) == 1);
  CHECK(static_cast<int>(ExitCode::usage) == 2);
  CHECK(static_cast<int>(ExitCode::unavailable) == 3);
  CHECK(static_cast<int>(ExitCode::storage) == 4);
  CHECK(static_cast<int>(ExitCode::corrupt) == 5);
  CHECK(static_cast<int>(ExitCode::denied) == 6);
  CHECK(static_cast<int>(ExitCode::not_found) == 7);
}
