#include "broker/server/policy_files.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"

using namespace carehub;
using fakes::TemporaryFolder;
using server::read_policy_text;

TEST_CASE("a folder's policy is its .toml files in the order of their names, and a file's is its own text") {
  const TemporaryFolder folder;
  folder.write("policy/schools.toml", "# schools\n");
  folder.write("policy/agreements.toml", "# agreements");
  folder.write("policy/.hidden.toml", "# hidden\n");
  folder.write("policy/notes.txt", "# notes\n");
  CHECK(*read_policy_text(folder.path() / "policy") ==
        "#: policy file agreements.toml\n# agreements\n#: policy file schools.toml\n# schools\n");
  CHECK(*read_policy_text(folder.path() / "policy/schools.toml") == "#: policy file \n# schools\n");
  folder.write("empty.toml", "");
  CHECK(*read_policy_text(folder.path() / "empty.toml") == "#: policy file \n");
}

TEST_CASE("a policy that cannot be read says why, and where") {
  const TemporaryFolder folder;
  const auto fault = [&](const std::string& name) {
    const auto text = read_policy_text(folder.path() / name);
    REQUIRE_FALSE(text);
    CHECK(text.error().kind == ErrorKind::invalid);
    CHECK(text.error().text.find((folder.path() / name).string()) == 0);
    return text.error().text;
  };
  CHECK(fault("nowhere.toml").find("cannot be read") != std::string::npos);
  folder.write("none/notes.txt", "");
  CHECK(fault("none").find("no .toml file") != std::string::npos);
  folder.write("marked.toml", "# x\n#: policy file y.toml\n");
  CHECK(fault("marked.toml").find("stands between the files") != std::string::npos);
  folder.write("large.toml", std::string(server::kPolicyBytesMax + 1, '#'));
  CHECK(fault("large.toml").find("over 1 MiB") != std::string::npos);
}

TEST_CASE("the files of a policy share one bound, and their number has one") {
  const TemporaryFolder folder;
  const std::string half(server::kPolicyBytesMax / 2, '#');
  folder.write("large/a.toml", half);
  folder.write("large/b.toml", half);
  CHECK(read_policy_text(folder.path() / "large"));
  folder.write("large/c.toml", "#");
  CHECK(read_policy_text(folder.path() / "large").error().text.find("over 1 MiB") != std::string::npos);
  for (std::size_t i = 0; i <= server::kPolicyFilesMax; ++i)
    folder.write("many/" + std::to_string(i) + ".toml", "");
  CHECK(read_policy_text(folder.path() / "many").error().text.find("more than 256") != std::string::npos);
}
