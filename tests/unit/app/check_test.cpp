#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using app::ExitCode;
using test::SmallCounty;
using test::Told;

TEST_CASE("a configuration that is right is summed up with a line for each channel") {
  const SmallCounty county;
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  CHECK(told.said("is right: 2 agencies, 2 channels, 2 rules\n"));
  CHECK(told.said("\n  council-desk: out to council as desk, folder "));
  Told json;
  CHECK(app::check({county.config(), true}, json.surroundings) == ExitCode::ok);
  CHECK(json.out.str().empty());
}

TEST_CASE("every fault comes with file, line, column, text and remedy, as JSON too") {
  const SmallCounty county;
  county.change("kind = \"council\"", "kind = \"counsil\"");
  county.folder.write("policy.toml", county.folder.read("policy.toml") + "[[rule]]\nname = \"empty\"\n");
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::wrong_input);
  CHECK(told.said("hub.toml:11:"));
  CHECK(told.said("`council`"));
  CHECK(told.said("policy.toml:"));
  Told json;
  CHECK(app::check({county.config(), true}, json.surroundings) == ExitCode::wrong_input);
  const std::string lines = json.out.str();
  CHECK(std::count(lines.begin(), lines.end(), '\n') > 1);
  CHECK(lines.starts_with("{\"file\":\"" + county.config().string() + "\",\"line\":11,\"column\":"));
  CHECK(lines.find("\"remedy\":\"") != std::string::npos);
}

TEST_CASE("a role that would never hear of a cancelled admission is pointed out") {
  const SmallCounty county;
  const auto policy = county.folder.read("policy.toml");
  const std::string types = R"(types = ["safeguarding_flag"])";
  const auto at = policy.find(types);
  REQUIRE(at != std::string::npos);
  county.folder.write("policy.toml",
                      std::string(policy).replace(at, types.size(), R"(types = ["admission"])"));
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  CHECK(
      told.said("doubtful: role `desk` is shown admissions or discharges, and never that one was cancelled"));
  Told json;
  CHECK(app::check({county.config(), true}, json.surroundings) == ExitCode::ok);
  CHECK(json.out.str().starts_with("{\"doubt\":\"role `desk`"));
}

TEST_CASE("a safeguarding flag about a protected child that would reach nobody is pointed out") {
  const SmallCounty county;
  const auto policy = county.folder.read("policy.toml");
  const std::string all = R"(sees_restricted = ["*"])";
  const auto at = policy.find(all);
  REQUIRE(at != std::string::npos);
  county.folder.write("policy.toml", std::string(policy).replace(
                                         at, all.size(), R"(sees_restricted = ["sealed_record", "other"])"));
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  CHECK(told.said(
      "doubtful: a safeguarding flag about a child who is marked `witness_protection` reaches nobody"));
  CHECK_FALSE(told.said("`sealed_record` reaches nobody"));
}

TEST_CASE(
    "that a role which nobody is delivered to sees a protected child's flag does not silence the doubt") {
  const SmallCounty county;
  auto policy = county.folder.read("policy.toml");
  const std::string all = R"(sees_restricted = ["*"])";
  policy.erase(policy.find(all), all.size());
  county.folder.write("policy.toml", policy + "sees_restricted = [\"*\"]\n");  // of the auditor's rule
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  for (const auto* mark : {"witness_protection", "sealed_record", "other"})
    CHECK(told.said("about a child who is marked `" + std::string(mark) + "` reaches nobody"));
}

TEST_CASE("two rules that contradict are pointed out with the one that decides") {
  const SmallCounty county;
  const auto rule = [](const std::string& name, const std::string& types) {
    return "[[rule]]\nname = \"" + name + "\"\nrole = \"desk\"\ntypes = [" + types +
           "]\nshow = [\"occurred_at\"]\nlegal_basis = \"b\"\n";
  };
  county.folder.write("policy.toml", county.folder.read("policy.toml") +
                                         rule("wider", "\"safeguarding_flag\", \"movement\"") +
                                         rule("other", "\"movement\", \"attendance\"") +
                                         "age_max = 18\nsees_restricted = [\"*\"]\n");
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  CHECK(told.said("doubtful: rules `wider` and `other` of role `desk`"));
  CHECK(told.said("neither is narrower, so the first, `wider`, decides"));
  Told json;
  CHECK(app::check({county.config(), true}, json.surroundings) == ExitCode::ok);
  CHECK(json.out.str().find("{\"doubt\":\"rules `wider` and `other`") != std::string::npos);
}

TEST_CASE("a narrower rule is said to decide, and an agreement that ends soon is pointed out") {
  const SmallCounty county;
  county.folder.write("policy.toml",
                      county.folder.read("policy.toml") +
                          "[[rule]]\nname = \"teenagers\"\nrole = \"desk\"\ntypes = [\"safeguarding_flag\"]\n"
                          "relationship = \"resident\"\nage_min = 16\nshow = [\"occurred_at\"]\n"
                          "sees_restricted = [\"*\"]\nlegal_basis = \"b\"\nagreement = \"Old\"\n"
                          "[[agreement]]\nname = \"Old\"\nparties = [\"council\", \"commissioner\"]\n"
                          "signatories = [\"A Guardian\"]\nsigned = 2019-01-01\nfrom = 2019-01-01\n"
                          "until = 2019-12-31\npurposes = [\"care\"]\n");
  Told told;
  CHECK(app::check({county.config(), false}, told.surroundings) == ExitCode::ok);
  CHECK(told.said("note: rules `teenagers` and `desk sees that there is a flag` of role `desk`"));
  CHECK(told.said("the narrower, `teenagers`, decides"));
  CHECK(told.said("doubtful: agreement Old lapsed on 2020-01-01: renew it"));
}
