#include "adapters/console/form.hpp"

#include <catch2/catch.hpp>

using namespace carehub;
using namespace carehub::adapters;

TEST_CASE("a form's fields are read as a browser writes them") {
  const auto form = read_form(bytes_of("account=jo&password=a+b%26%3D%C3%A9&code="));
  REQUIRE(form);
  CHECK(form->size() == 3);
  CHECK(form->at("password").view() == "a b&=\xC3\xA9");
  CHECK(form->at("code").view().empty());
  CHECK(read_form({})->empty());
}

TEST_CASE("a form that is malformed, or says one thing twice, is none") {
  for (const char* wrong : {"account", "a=%", "a=%4", "a=%zz", "a=%-1", "a=1&a=2", "a=1&&b=2"})
    CHECK_FALSE(read_form(bytes_of(wrong)));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "f" + std::to_string(i) + "=1&";
  CHECK_FALSE(read_form(bytes_of(many)));
}

TEST_CASE("a cookie is found by its whole name") {
  CHECK(cookie_of("a=1; carehub=x; b=2", "carehub") == "x");
  CHECK(cookie_of("xcarehub=1; carehub-form=2", "carehub").empty());
  CHECK(cookie_of("carehub", "carehub").empty());
  CHECK(cookie_of("", "carehub").empty());
}
