#include "adapters/console/one_time_code.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;

namespace {

Bytes secret_of_the_standard() {
  const auto bytes = bytes_of("12345678901234567890");
  return {bytes.begin(), bytes.end()};
}

Timestamp at_s(std::int64_t seconds) { return {seconds * kSecondUs}; }

}  // namespace

TEST_CASE("a code is what RFC 6238 gives for its test times") {
  // Appendix B, SHA-1, the last six of its eight digits.
  const std::pair<std::int64_t, const char*> cases[] = {{59, "287082"},         {1111111109, "081804"},
                                                        {1111111111, "050471"}, {1234567890, "005924"},
                                                        {2000000000, "279037"}, {20000000000, "353130"}};
  for (const auto& [seconds, code] : cases)
    CHECK(one_time_code(secret_of_the_standard(), seconds / 30) == code);
}

TEST_CASE("a code is taken one step early and late, not two, and never twice") {
  const Bytes secret = secret_of_the_standard();
  const Timestamp now = at_s(1111111111);
  const std::int64_t step = 1111111111 / 30;
  for (const std::int64_t beside : {-1, 0, 1})
    CHECK(step_of_code(secret, one_time_code(secret, step + beside), now, 0) == step + beside);
  for (const std::int64_t beside : {-2, 2})
    CHECK_FALSE(step_of_code(secret, one_time_code(secret, step + beside), now, 0));
  CHECK_FALSE(step_of_code(secret, one_time_code(secret, step), now, step));
  CHECK_FALSE(step_of_code(secret, one_time_code(secret, step - 1), now, step));
  CHECK(step_of_code(secret, one_time_code(secret, step + 1), now, step) == step + 1);
}

TEST_CASE("what is no code of six digits is none") {
  const Bytes secret = secret_of_the_standard();
  const std::string code = one_time_code(secret, 1111111111 / 30);
  for (const std::string& wrong :
       {std::string(), code.substr(0, 5), code + "0", " " + code, std::string(5000, '0')})
    CHECK_FALSE(step_of_code(secret, wrong, at_s(1111111111), 0));
}

TEST_CASE("base32 is that of RFC 4648 without padding, both ways") {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "MY"},
                                                       {"fo", "MZXQ"},
                                                       {"foo", "MZXW6"},
                                                       {"foob", "MZXW6YQ"},
                                                       {"fooba", "MZXW6YTB"},
                                                       {"foobar", "MZXW6YTBOI"}};
  for (const auto& [clear, text] : cases) {
    const auto bytes = bytes_of(clear);
    CHECK(to_base32({bytes.begin(), bytes.end()}) == text);
    REQUIRE(from_base32(text));
    CHECK(text_of(*from_base32(text)) == clear);
  }
  CHECK_FALSE(from_base32("MZXW6YQ="));
  CHECK_FALSE(from_base32("mzxw6"));
}
