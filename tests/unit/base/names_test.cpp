#include "broker/base/names.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "broker/base/limits.hpp"

using namespace carehub;

TEST_CASE("a plain name is letters, digits and - _ . and no longer than its bound") {
  for (const char* name : {"a", "council-duty-desk", "Holm_1", "x.y", "9"}) CHECK(is_plain_name(name));
  for (const char* name :
       {"", "-x", ".x", "two words", "a\nb", "desk/replay-7", "~watch", "a@2", "caf\xc3\xa9"})
    CHECK_FALSE(is_plain_name(name));
  CHECK(is_plain_name(std::string(limits::kNameBytesMax, 'a')));
  CHECK_FALSE(is_plain_name(std::string(limits::kNameBytesMax + 1, 'a')));
}
