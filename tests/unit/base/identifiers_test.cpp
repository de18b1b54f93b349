#include "broker/base/identifiers.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace carehub;

namespace {

constexpr std::string_view kUpnLetters = "ABCDEFGHJKLMNPQRTUVWXYZ";
const char kDigits[] = "0123456789";

std::string random_nhs_number(std::mt19937& random) {
  while (true) {
    std::string digits;
    for (int i = 0; i < 10; ++i) digits.push_back(kDigits[random() % 10]);
    if (NhsNumber::parse(digits)) return digits;
  }
}

std::string random_upn(std::mt19937& random) {
  std::string rest;
  for (int i = 0; i < 11; ++i) rest.push_back(kDigits[random() % 10]);
  rest.push_back(random() % 2 == 0 ? kDigits[random() % 10] : kUpnLetters[random() % kUpnLetters.size()]);
  for (const char letter : kUpnLetters) {
    if (Upn::parse(letter + rest)) return letter + rest;
  }
  FAIL("no check letter fits");
  return {};
}

template <class Identifier>
void check_refused(std::initializer_list<std::string_view> texts) {
  for (const auto text : texts) {
    INFO(text);
    const auto parsed = Identifier::parse(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().kind == ErrorKind::invalid);
    if (text.size() > 3) CHECK_THAT(parsed.error().text, !Catch::Contains(std::string(text)));
  }
}

}  // namespace

TEST_CASE("an NHS number has ten digits and a modulus 11 check digit") {
  CHECK(NhsNumber::parse("9434765919")->text() == "9434765919");
  CHECK(NhsNumber::parse("9990000018")->text() == "9990000018");
  CHECK(NhsNumber::parse("999 000 0018")->text() == "9990000018");
  CHECK(NhsNumber::parse("999-000-0018")->text() == "9990000018");
  CHECK(NhsNumber::parse("9876543210")->text() == "9876543210");  // a remainder of 0 is check digit 0
  check_refused<NhsNumber>({"", " ", "9990000019", "999000001", "99900000188", "999000001X", "9990000000",
                            "9990000001", "+999000001", "9990000018\n", "999.000.0018", "\xD9\xA1\xD9\xA1"});
}

TEST_CASE("ten equal digits are a form's filler, not an NHS number") {
  for (const char digit : std::string_view(kDigits)) CHECK_FALSE(NhsNumber::parse(std::string(10, digit)));
}

TEST_CASE("one wrong digit of an NHS number is always noticed") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const auto good = random_nhs_number(random);
    for (std::size_t place = 0; place < 10; ++place) {
      for (const char digit : std::string_view(kDigits)) {
        auto changed = good;
        changed[place] = digit;
        if (changed != good) CHECK_FALSE(NhsNumber::parse(changed));
      }
    }
  }
}

TEST_CASE("two neighbouring digits of an NHS number in the wrong order are always noticed") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2'000; ++round) {
    const auto good = random_nhs_number(random);
    for (std::size_t place = 0; place + 1 < 10; ++place) {
      auto changed = good;
      std::swap(changed[place], changed[place + 1]);
      if (changed != good) CHECK_FALSE(NhsNumber::parse(changed));
    }
  }
}

TEST_CASE("a UPN has a check letter and twelve characters") {
  CHECK(Upn::parse("B801200005001")->text() == "B801200005001");
  CHECK(Upn::parse("H801200001001")->text() == "H801200001001");
  CHECK_FALSE(Upn::parse("H801200001001")->temporary());
  CHECK(Upn::parse("W82043211200A")->temporary());
  CHECK(Upn::parse("G82043211200Z")->temporary());
  check_refused<Upn>({"", "A801200001001", "H80120000100", "H8012000010011", "h801200001001", "H80120000100I",
                      "1801200001001", "H80120000A001", "W82043211200a", "I801200001001", "G82043211200S"});
}

TEST_CASE("one wrong character of a UPN, or two neighbours swapped, are always noticed") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 1'000; ++round) {
    const auto good = random_upn(random);
    INFO(good);
    for (std::size_t place = 1; place < 12; ++place) {
      auto changed = good;
      changed[place] = kDigits[random() % 10];
      if (changed != good) CHECK_FALSE(Upn::parse(changed));
      if (place == 11) continue;
      auto swapped = good;
      std::swap(swapped[place], swapped[place + 1]);
      if (swapped != good) CHECK_FALSE(Upn::parse(swapped));
    }
  }
}

TEST_CASE("an ODS code has 3 to 10 upper-case letters and digits") {
  CHECK(OdsCode::parse("RZX")->text() == "RZX");
  CHECK(OdsCode::parse("RZX01")->text() == "RZX01");
  CHECK(OdsCode::parse("A123456789")->text() == "A123456789");
  check_refused<OdsCode>({"", "RZ", "rzx", "RZX 1", "A1234567890", "RZX-1"});
}

TEST_CASE("a URN has six digits and does not start with 0") {
  CHECK(Urn::parse("900101")->text() == "900101");
  check_refused<Urn>({"", "090010", "90010", "9001011", "90010A"});
}

TEST_CASE("a LAESTAB has authority and establishment, with or without a slash") {
  CHECK(Laestab::parse("8204321")->text() == "8204321");
  CHECK(Laestab::parse("820/4321")->text() == "8204321");
  check_refused<Laestab>({"", "820432", "82043210", "82/04321", "820-4321", "820/432A"});
}

TEST_CASE("a GSS code has a country's letter and eight digits") {
  CHECK(GssCode::parse("E10000015")->text() == "E10000015");
  CHECK(GssCode::parse("W06000015")->text() == "W06000015");
  check_refused<GssCode>({"", "X10000015", "E1000001", "E100000155", "e10000015", "E1000001A"});
}
