#include "broker/base/config_reader.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <fstream>

#include "broker/base/limits.hpp"

using namespace carehub;

namespace {

ConfigDocument parse(std::string_view text) { return ConfigDocument::parse(text, "hub.toml"); }

std::vector<std::string> texts_of(ConfigDocument& document) {
  std::vector<std::string> texts;
  for (const auto& fault : document.faults()) texts.push_back(to_string(fault));
  return texts;
}

std::string only_fault(ConfigDocument& document) {
  const auto texts = texts_of(document);
  REQUIRE(texts.size() == 1);
  return texts.front();
}

}  // namespace

TEST_CASE("values of every type are read") {
  auto document = parse(R"(
name = "Northmarch"
port = 2575
verbose = true
kinds = ["admission", "discharge"]
tiers = [1, 4]
[nested]
key = "value"
)");
  auto root = document.root();
  CHECK(root.text("name") == "Northmarch");
  CHECK(root.optional_text("name") == "Northmarch");
  CHECK(root.optional_text("absent") == std::nullopt);
  CHECK(root.integer("port", 1, 1, 65535) == 2575);
  CHECK(root.integer("absent", 7, 1, 65535) == 7);
  CHECK(root.optional_integer("port", 1, 65535) == 2575);
  CHECK(root.optional_integer("absent", 1, 65535) == std::nullopt);
  CHECK(root.boolean("verbose", false));
  CHECK(root.boolean("absent", true));
  CHECK(root.texts("kinds") == std::vector<std::string>{"admission", "discharge"});
  CHECK(root.texts("absent").empty());
  CHECK(root.integers("tiers", 1, 4) == std::vector<std::int64_t>{1, 4});
  CHECK(root.table("nested")->text("key") == "value");
  CHECK_FALSE(root.table("absent"));
  CHECK(root.tables("absent").empty());
  CHECK(root.has("name"));
  CHECK_FALSE(root.has("absent"));
  document.report_unused();
  CHECK(texts_of(document).empty());
}

TEST_CASE("arrays of tables are read in either spelling, inline tables too") {
  auto document = parse(R"(
transport = { kind = "mllp", port = 2575 }
coarsen = [
  { path = "occurred_at", how = "to_date" },
  { path = "birth_date", how = "to_year" },
]
[[rule]]
name = "first"
[[rule]]
name = "second"
)");
  auto root = document.root();
  CHECK(root.table("transport")->text("kind") == "mllp");
  CHECK(root.table("transport")->integer("port", 0, 1, 65535) == 2575);
  auto coarsen = root.tables("coarsen");
  REQUIRE(coarsen.size() == 2);
  CHECK(coarsen[1].text("how") == "to_year");
  CHECK(coarsen[0].text("how") == "to_date");
  CHECK(coarsen[1].place() == "hub.toml:5");
  auto rules = root.tables("rule");
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].text("name") == "first");
  CHECK(rules[1].text("name") == "second");
  document.report_unused();
  CHECK(texts_of(document) == std::vector<std::string>{"hub.toml:4:5: unknown key `path`. Known here: how.",
                                                       "hub.toml:5:5: unknown key `path`."
                                                       " Known here: how."});
}

TEST_CASE("a missing key is a fault at its table") {
  auto document = parse("[hub]\ndata = \"x\"\n");
  CHECK(document.root().table("hub")->text("name").empty());
  CHECK(only_fault(document) == "hub.toml:1:1: `name` is missing. Add name = \"...\" here.");
}

TEST_CASE("a text that has to be there is not an empty one; one that may be absent may be empty") {
  auto document = parse("[hub]\nname = \"\"\nmotto = \"\"\n");
  auto hub = *document.root().table("hub");
  CHECK(hub.text("name").empty());
  CHECK(hub.optional_text("motto") == "");
  CHECK(only_fault(document) == "hub.toml:2:8: `name` is empty. Write name = \"...\".");
}

TEST_CASE("a key missing at the top is a fault of the file") {
  auto document = parse("a = 1\n");
  CHECK(document.root().text("name").empty());
  CHECK(only_fault(document) == "hub.toml: `name` is missing. Add name = \"...\" here.");
}

TEST_CASE("a wrong type is a fault at its value and gives the fallback") {
  auto document = parse(R"(name = 1
port = "2575"
verbose = "yes"
kinds = "admission"
mixed = ["a", 1]
tiers = [1, 9]
hub = 1
rule = 2
rules = [1]
when = 2026-03-01
share = 0.5
)");
  auto root = document.root();
  CHECK(root.text("name").empty());
  CHECK(root.integer("port", 7, 1, 65535) == 7);
  CHECK_FALSE(root.boolean("verbose", false));
  CHECK(root.texts("kinds").empty());
  CHECK(root.texts("mixed") == std::vector<std::string>{"a"});
  CHECK(root.integers("tiers", 1, 4) == std::vector<std::int64_t>{1});
  CHECK_FALSE(root.table("hub"));
  CHECK(root.tables("rule").empty());
  CHECK(root.tables("rules").empty());
  CHECK_FALSE(root.optional_text("when"));
  CHECK(root.integer("share", 3, 0, 9) == 3);
  CHECK(
      texts_of(document) ==
      std::vector<std::string>{
          "hub.toml:1:8: `name` wants a text, but is a whole number. Write it in quotes.",
          "hub.toml:2:8: `port` wants a whole number from 1 to 65535, but is a text. Write the number "
          "without quotes.",
          "hub.toml:3:11: `verbose` wants true or false, but is a text. Write true or false, without quotes.",
          "hub.toml:4:9: `kinds` wants an array of texts, but is a text. Write [\"...\", \"...\"].",
          "hub.toml:5:15: `mixed` wants texts alone in its array, but is a whole number. Write each in "
          "quotes.",
          "hub.toml:6:13: `tiers` is out of range. Give a whole number from 1 to 4.",
          "hub.toml:7:7: `hub` wants a table, but is a whole number. Write [hub] or hub = { ... }.",
          "hub.toml:8:8: `rule` wants an array of tables, but is a whole number. Write [[rule]] above each.",
          "hub.toml:9:10: `rules` wants tables alone in its array, but is a whole number. Write each as { "
          "... }.",
          "hub.toml:10:8: `when` wants a text, but is a date or time. Write it in quotes.",
          "hub.toml:11:9: `share` wants a whole number from 0 to 9, but is a number with a fraction. Write "
          "the number "
          "without quotes."});
}

TEST_CASE("a number out of range is a fault and gives the fallback") {
  auto document = parse("port = 70000\n");
  CHECK(document.root().integer("port", 7, 1, 65535) == 7);
  CHECK(only_fault(document) == "hub.toml:1:8: `port` is out of range. Give a whole number from 1 to 65535.");
}

TEST_CASE("an unknown key is a fault with the nearest known one") {
  auto document = parse(R"([[channel]]
name = "a"
rol = "duty"
[[channel]]
name = "b"
something_else = 1
)");
  for (auto& channel : document.root().tables("channel")) {
    channel.text("name");
    channel.optional_text("role");
  }
  document.report_unused();
  CHECK(texts_of(document) ==
        std::vector<std::string>{"hub.toml:3:1: unknown key `rol`. Did you mean `role`?",
                                 "hub.toml:6:1: unknown key `something_else`. Known here: name, role."});
}

TEST_CASE("an unknown table is one fault, whatever lies in it") {
  auto document = parse("[hubb]\na = 1\nb = 2\n");
  CHECK_FALSE(document.root().table("hub"));
  document.report_unused();
  CHECK(only_fault(document) == "hub.toml:1:2: unknown key `hubb`. Did you mean `hub`?");
}

TEST_CASE("a key that another reader understands is not unknown, nor is what lies in it") {
  auto document = parse("[policy]\na = 1\n");
  document.root().known("policy");
  document.report_unused();
  CHECK(texts_of(document).empty());
}

TEST_CASE("keys and pairs keep the file's order") {
  auto document = parse("[sex]\nF = \"female\"\nM = \"male\"\nA = \"unknown\"\n\"1 2\" = \"x\"\n");
  auto table = *document.root().table("sex");
  CHECK(table.keys() == std::vector<std::string>{"F", "M", "A", "1 2"});
  const auto pairs = table.text_pairs();
  REQUIRE(pairs.size() == 4);
  CHECK(pairs[0] == std::pair<std::string, std::string>("F", "female"));
  CHECK(pairs[2] == std::pair<std::string, std::string>("A", "unknown"));
  document.report_unused();
  CHECK(texts_of(document).empty());
}

TEST_CASE("a code table's value that is no text is a fault") {
  auto document = parse("[sex]\nF = 1\nM = \"male\"\n");
  CHECK(document.root().table("sex")->text_pairs().size() == 1);
  CHECK_THAT(only_fault(document), Catch::StartsWith("hub.toml:2:5: `F` wants a text"));
}

TEST_CASE("faults of the caller stand at the key's value, or at its table") {
  auto document = parse("[hub]\nname = \"x\"\n");
  auto hub = *document.root().table("hub");
  hub.fault("name", "`name` is taken.", "Choose another.");
  hub.fault("absent", "`absent` is needed.", "Add it.");
  hub.fault({}, "this table is odd.", "");
  CHECK(texts_of(document) == std::vector<std::string>{"hub.toml:2:8: `name` is taken. Choose another.",
                                                       "hub.toml:1:1: `absent` is needed. Add it.",
                                                       "hub.toml:1:1: this table is odd."});
  CHECK(hub.place() == "hub.toml:1");
  CHECK(hub.place("name") == "hub.toml:2");
  CHECK(document.root().place() == "hub.toml");
}

TEST_CASE("what is not TOML is one fault with its place, and an empty root") {
  for (const auto* text : {"name = \n", "[hub\n", "a = 1\na = 2\n", "[hub]\n[hub]\n", "a = \"\xFF\"\n",
                           "\x01", "a = 1\n[", "[.", "[.\"", "[\x07"}) {
    INFO(text);
    auto document = parse(text);
    REQUIRE(document.faults().size() == 1);
    CHECK(document.faults().front().line > 0);
    CHECK(document.faults().front().column > 0);
    CHECK_THAT(to_string(document.faults().front()), Catch::Contains("not TOML here"));
    CHECK(document.root().keys().empty());
  }
}

TEST_CASE("a key given twice is named with its line") {
  auto document = parse("a = 1\nb = 2\na = 3\n");
  CHECK_THAT(only_fault(document), Catch::StartsWith("hub.toml:3:"));
}

TEST_CASE("views stay valid when the document moves") {
  auto document = parse("[hub]\nname = \"x\"\n");
  auto hub = *document.root().table("hub");
  auto moved = std::move(document);
  CHECK(hub.text("name") == "x");
  hub.text("absent");
  CHECK(moved.faults().size() == 1);
  moved.report_unused();
  CHECK(moved.faults().size() == 1);
}

TEST_CASE("a file that cannot be read is one fault with its name") {
  const auto directory =
      std::filesystem::temp_directory_path() / ("carehub-config-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  auto absent = ConfigDocument::load(directory / "absent.toml");
  CHECK(only_fault(absent) ==
        (directory / "absent.toml").string() + ": there is no such file. Check the path.");
  auto folder = ConfigDocument::load(directory);
  CHECK_THAT(only_fault(folder), Catch::Contains("directory"));

  std::ofstream(directory / "large.toml") << std::string(limits::kConfigBytesMax + 1, '#');
  auto large = ConfigDocument::load(directory / "large.toml");
  CHECK_THAT(only_fault(large), Catch::Contains("larger"));

  std::ofstream(directory / "empty.toml").flush();
  auto empty = ConfigDocument::load(directory / "empty.toml");
  CHECK(texts_of(empty).empty());

  std::ofstream(directory / "good.toml") << "\xEF\xBB\xBFname = \"x\"\r\n";
  auto good = ConfigDocument::load(directory / "good.toml");
  CHECK(good.root().text("name") == "x");
  CHECK(good.file() == directory / "good.toml");
  std::filesystem::remove_all(directory);
}

TEST_CASE("a number or a time may stand without quotes where a text may") {
  auto document = ConfigDocument::parse(
      "text = \"now\"\nnumber = 12\ntime = 2026-01-31T00:00:00Z\nday = 2026-01-31\nflag = true\n",
      "hub.toml");
  auto root = document.root();
  CHECK(root.optional_scalar("text") == "now");
  CHECK(root.optional_scalar("number") == "12");
  CHECK(root.optional_scalar("time") == "2026-01-31T00:00:00Z");
  CHECK(root.optional_scalar("day") == "2026-01-31");
  CHECK(root.optional_scalar("absent") == std::nullopt);
  CHECK(document.faults().empty());
  CHECK(root.optional_scalar("flag") == std::nullopt);
  CHECK_THAT(only_fault(document), Catch::Contains("hub.toml:5:8: `flag` wants a text, a whole number or"));
}

TEST_CASE("the nearest word is near") {
  const std::vector<std::string> words = {"admission", "discharge", "referral", "review", "role"};
  CHECK(nearest_word("admision", words) == "admission");
  CHECK(nearest_word("rloe", words) == "role");
  CHECK(nearest_word("rol", words) == "role");
  CHECK(nearest_word("zebra", words).empty());
  CHECK(nearest_word("", words).empty());
  CHECK(nearest_word("x", {}).empty());
  CHECK(nearest_word(std::string(100'000, 'a'), words).empty());
}
