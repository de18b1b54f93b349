#include "broker/app/policy_questions.hpp"

#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using test::SmallCounty;
using test::Told;

TEST_CASE("a policy is taken from a file or standard input once it has no fault") {
  const SmallCounty county;
  const auto text = county.folder.read("policy.toml");
  const auto recorded = "#: policy file \n" + text;
  Told file;
  CHECK(app::sound_policy((county.folder.path() / "policy.toml").string(), file.surroundings) == recorded);
  Told in(text);
  CHECK(app::sound_policy("-", in.surroundings) == recorded);
  county.folder.write("policy/all.toml", text);
  Told folder;
  CHECK(app::sound_policy((county.folder.path() / "policy").string(), folder.surroundings) ==
        "#: policy file all.toml\n" + text);
  Told none;
  CHECK_FALSE(app::sound_policy("no-such-policy.toml", none.surroundings));
  CHECK(none.complained("no-such-policy.toml cannot be read"));
  Told large(std::string((1U << 20U) + 1, '#'));
  CHECK_FALSE(app::sound_policy("-", large.surroundings));
  CHECK(large.complained("1 MiB"));
}

TEST_CASE("every fault of a policy is told with its line") {
  Told faulty("[[rule]]\nname = \"r\"\nrole = \"desk\"\ntypes = [\"admision\"]\nshow = [\"persson\"]\n");
  CHECK_FALSE(app::sound_policy("-", faulty.surroundings));
  CHECK(faulty.complained("-:4:"));
  CHECK(faulty.complained("-:5:"));
  CHECK(faulty.complained("legal_basis"));
}
