#include "adapters/console/sessions.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "tests/fakes/hand_clock.hpp"
#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

struct Room {
  fakes::HandClock clock{{1'800'000'000 * kSecondUs}};
  fakes::SeededRandom random{1};
  Sessions sessions{{}, clock, random};
  SignedIn jo{"account-1", "jo", {"auditor"}};
  SignedIn kim{"account-2", "kim", {"auditor"}};
};

constexpr std::int64_t kMinuteMs = 60'000;

}  // namespace

TEST_CASE("a session lasts while pages are asked for, and ends after 15 idle minutes") {
  Room room;
  const std::string secret = room.sessions.begin(room.jo, "");
  CHECK(secret.size() == 64);
  for (int i = 0; i < 3; ++i) {
    room.clock.advance_ms(15 * kMinuteMs - 1);
    const auto session = room.sessions.find(secret);
    REQUIRE(session);
    CHECK(session->who == room.jo);
    CHECK(session->idle_end.us == room.clock.now().us + 15 * kMinuteMs * kMillisecondUs);
  }
  room.clock.advance_ms(15 * kMinuteMs);
  CHECK_FALSE(room.sessions.find(secret));
  CHECK(room.sessions.size() == 0);
}

TEST_CASE("a session ends after 12 hours however much it is used, whatever the wall's clock is set to") {
  Room room;
  const std::string secret = room.sessions.begin(room.jo, "");
  for (int i = 0; i < 12 * 6 - 1; ++i) {
    room.clock.advance_ms(10 * kMinuteMs);
    REQUIRE(room.sessions.find(secret));
  }
  room.clock.set({1'700'000'000 * kSecondUs});
  REQUIRE(room.sessions.find(secret));
  room.clock.advance_ms(10 * kMinuteMs);
  CHECK_FALSE(room.sessions.find(secret));
}

TEST_CASE("a session ends with the account's last day") {
  Room room;
  room.clock.set({1'801'439'990 * kSecondUs});
  const std::string day = to_rfc3339(room.clock.now()).substr(0, 10);
  const std::string secret = room.sessions.begin(room.jo, day);
  REQUIRE(room.sessions.find(secret));
  room.clock.set({room.clock.now().us + 86'400 * kSecondUs});
  CHECK_FALSE(room.sessions.find(secret));
}

TEST_CASE("every session has a secret of its own, and ends alone or with its account") {
  Room room;
  const std::string first = room.sessions.begin(room.jo, "");
  const std::string second = room.sessions.begin(room.jo, "");
  const std::string other = room.sessions.begin(room.kim, "");
  CHECK(std::set<std::string>{first, second, other}.size() == 3);
  room.sessions.end(first);
  CHECK_FALSE(room.sessions.find(first));
  CHECK(room.sessions.find(second));
  room.sessions.end_all_of("account-1");
  CHECK_FALSE(room.sessions.find(second));
  CHECK(room.sessions.find(other));
  CHECK_FALSE(room.sessions.find(""));
  CHECK_FALSE(room.sessions.find(std::string(64, '0')));
}

TEST_CASE("an account has four sessions at most, and the one that was idle for longest ends") {
  Room room;
  std::vector<std::string> secrets;
  for (int i = 0; i < 4; ++i) {
    secrets.push_back(room.sessions.begin(room.jo, ""));
    room.clock.advance_ms(1'000);
  }
  const std::string other = room.sessions.begin(room.kim, "");
  REQUIRE(room.sessions.find(secrets[0]));
  secrets.push_back(room.sessions.begin(room.jo, ""));
  CHECK_FALSE(room.sessions.find(secrets[1]));
  for (const std::size_t i : {0U, 2U, 3U, 4U}) CHECK(room.sessions.find(secrets[i]));
  CHECK(room.sessions.find(other));
}

TEST_CASE("all sessions together are bounded") {
  Room room;
  for (std::size_t i = 0; i < Sessions::kSessionsMax + 10; ++i)
    (void)room.sessions.begin({"account-" + std::to_string(i), "x", {}}, "");
  CHECK(room.sessions.size() == Sessions::kSessionsMax);
}

TEST_CASE("a form's token belongs to one browser's secret") {
  Room room;
  const std::string one = room.sessions.form_secret();
  const std::string other = room.sessions.form_secret();
  CHECK(room.sessions.is_form_token(one, room.sessions.form_token(one)));
  CHECK_FALSE(room.sessions.is_form_token(other, room.sessions.form_token(one)));
  CHECK_FALSE(room.sessions.is_form_token("", room.sessions.form_token("")));
  CHECK_FALSE(room.sessions.is_form_token(one, ""));
  fakes::SeededRandom random{2};
  const Sessions after_a_restart({}, room.clock, random);
  CHECK_FALSE(after_a_restart.is_form_token(one, room.sessions.form_token(one)));
}
