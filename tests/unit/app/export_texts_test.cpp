#include "broker/app/export_texts.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("an export's README says who made it, about what, and what it does not prove") {
  app::ExportFacts facts;
  facts.hub = "Northmarch";
  facts.by = "A Reader";
  facts.reason = "case\nreview";
  facts.about = "entries 3 to 5";
  facts.withheld = 2;
  const auto text = app::export_readme(facts);
  for (const auto* word : {"Northmarch", "A Reader", "entries 3 to 5", "2 events", "python3 verify.py",
                           "It does not by itself prove", "personal data in clear"}) {
    CHECK(text.find(word) != std::string::npos);
  }
  CHECK(text.find("case\nreview") == std::string::npos);
  const auto json = app::export_json(facts);
  CHECK(json.find(R"("about":"entries 3 to 5")") != std::string::npos);
  CHECK(std::ranges::count(json, '\n') == 1);
}

TEST_CASE("a timeline's README names what it leaves out, and what it does not prove") {
  app::ExportFacts facts;
  facts.withheld = 3;
  facts.remark = "what came before entry 9 has been erased";
  const auto text = app::completeness_readme(facts);
  for (const auto* word : {"3 events of this person are NOT in it", "entry 9 has been erased",
                           "It does not prove that these are all keys of this person"}) {
    CHECK(text.find(word) != std::string::npos);
  }
}

TEST_CASE("what the hub says beside each page is kept once, and not how far it has looked") {
  app::ExportFacts facts;
  for (const auto* remark : {"record 2 is this child, too", "looked as far as entry 9",
                             "entry 4: has been erased", "record 2 is this child, too", ""})
    app::add_remark(facts, remark);
  CHECK(facts.remark == "record 2 is this child, too; entry 4: has been erased");
}

TEST_CASE("a verifier is a script of Python's standard library") {
  for (const auto& script : {app::export_verifier(), app::completeness_verifier()}) {
    CHECK(script.starts_with("#!/usr/bin/env python3\n"));
    CHECK(script.find("import hashlib\n") != std::string::npos);
    CHECK(script.back() == '\n');
  }
}
