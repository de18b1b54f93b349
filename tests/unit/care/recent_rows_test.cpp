#include "broker/care/recent_rows.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "tests/fakes/seeded_random.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

KeyedName name(std::uint64_t number) {
  KeyedName name;
  name.bytes[0] = 'p';
  name.bytes[1] = '/';
  std::memcpy(name.bytes.data() + 2, &number, sizeof number);
  return name;
}

}  // namespace

TEST_CASE("what is kept in memory is the newest value, whatever was pushed out") {
  RecentRows recent;
  fakes::SeededRandom random(1);
  std::map<std::uint64_t, std::string> model;
  std::size_t found = 0;
  for (int step = 0; step < 200'000; ++step) {
    // All in two sets of eight.
    const auto number = random.below(2) + (random.below(20) << 32U);
    switch (random.below(4)) {
      case 0:
        recent.forget(name(number));
        model.erase(number);
        break;
      case 1: {
        const std::string value(random.below(RecentRows::kValueMax + 1),
                                static_cast<char>('a' + random.below(26)));
        recent.put(name(number), value);
        model[number] = value;
        break;
      }
      default:
        const auto kept = recent.find(name(number));
        if (!kept) break;
        ++found;
        REQUIRE(model.count(number) == 1);
        REQUIRE(*kept == model[number]);
    }
  }
  CHECK(found > 1'000);
}

TEST_CASE("what is written last is there, and a value that is too long takes the old one away") {
  RecentRows recent;
  for (std::uint64_t number = 0; number < 100; ++number) {
    recent.put(name(number << 32U), "value");
    CHECK(recent.find(name(number << 32U)) == "value");
  }
  recent.put(name(99ULL << 32U), std::string(RecentRows::kValueMax + 1, 'x'));
  CHECK_FALSE(recent.find(name(99ULL << 32U)));
  CHECK_FALSE(recent.find(name(12)));
}
