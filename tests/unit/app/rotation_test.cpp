#include "broker/app/rotation.hpp"

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::Told;

TEST_CASE(
    "a key that was replaced is told with its entry, in words and as JSON, and what went wrong by its code") {
  Told words;
  CHECK(app::tell_rotated(Sequence{7}, "a new key", "Keep it safe", false, words.surroundings) ==
        ExitCode::ok);
  CHECK(words.said("a new key, recorded as entry 7. Keep it safe\n"));
  Told json;
  CHECK(app::tell_rotated(Sequence{7}, "a new key", "Keep it safe", true, json.surroundings) == ExitCode::ok);
  CHECK(json.said("{\"recorded_as\":7}\n"));
  Told busy;
  CHECK(app::tell_rotated(fail(ErrorKind::unavailable, "a hub runs"), "", "", false, busy.surroundings) ==
        ExitCode::storage);
  CHECK(busy.complained("a hub runs"));
  Told damaged;
  CHECK(app::tell_rotated(fail(ErrorKind::corrupt, "it is damaged"), "", "", false, damaged.surroundings) ==
        ExitCode::corrupt);
}

TEST_CASE("a rotation is of the configured hub's data, and says who and why") {
  Told told;
  server::HubConfig config;
  config.data = "data";
  server::Rotation rotation;
  app::describe_rotation(rotation, config, "An Operator", "a test", told.surroundings);
  CHECK(rotation.data == "data");
  CHECK(rotation.by == "An Operator");
  CHECK(rotation.reason == "a test");
}
