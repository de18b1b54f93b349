#include "broker/core/policy_text.hpp"

#include <catch2/catch.hpp>

using namespace carehub::core;

TEST_CASE("the files of a policy become one text, and come back out of it") {
  const auto text = join_policy({{"a.toml", "# a\n"}, {"b.toml", "x = 1"}, {"c.toml", ""}});
  CHECK(has_policy_file_mark(text));
  const auto files = split_policy(text, "/etc/policy");
  REQUIRE(files.size() == 3);
  CHECK(files[0].name == "/etc/policy/a.toml");
  CHECK(files[0].text == "# a\n");
  CHECK(files[1].name == "/etc/policy/b.toml");
  CHECK(files[1].text == "x = 1\n");
  CHECK(files[2].name == "/etc/policy/c.toml");
  CHECK(files[2].text.empty());
}

TEST_CASE("a text without the mark at its beginning is one file") {
  for (const auto* text : {"", "[[rule]]\n", "# first\n#: policy file x\n"}) {
    const auto files = split_policy(text, "policy.toml");
    REQUIRE(files.size() == 1);
    CHECK(files[0].name == "policy.toml");
    CHECK(files[0].text == text);
  }
}

TEST_CASE("a policy of one file is marked once, and keeps its own name") {
  const auto text = mark_policy("x = 1\n");
  CHECK(text == "#: policy file \nx = 1\n");
  CHECK(mark_policy(text) == text);
  const auto files = split_policy(text, "policy.toml");
  REQUIRE(files.size() == 1);
  CHECK(files[0].name == "policy.toml");
  CHECK(files[0].text == "x = 1\n");
}

TEST_CASE("the mark counts at the start of a line alone, and a text that is cut short in it still reads") {
  CHECK_FALSE(has_policy_file_mark("x = 1 #: policy file y\n"));
  CHECK(has_policy_file_mark("x = 1\n#: policy file y\n"));
  const auto files = split_policy("#: policy file a.toml", "p");
  REQUIRE(files.size() == 1);
  CHECK(files[0].name == "p/a.toml");
  CHECK(files[0].text.empty());
}
