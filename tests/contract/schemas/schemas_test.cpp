#include <catch2/catch.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

#include "broker/base/event_fields.hpp"
#include "schemas/ledger_generated.h"
#include "schemas/wire_generated.h"
#include "tests/contract/schemas/schema_fixture.hpp"

// FLATC, SCHEMA_SOURCES, BINARY_SCHEMAS and RELEASED come from CMake.
using namespace carehub;
using contract::read_bytes;
using contract::read_text;
namespace fs = std::filesystem;

namespace {

constexpr const char* kSchemas[] = {"event", "ledger", "wire"};

std::vector<fs::path> releases() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(RELEASED)) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

/// The fixtures of one schema of a release, without the ending.
std::vector<fs::path> fixtures(const fs::path& release, const std::string& schema) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(release / "fixtures")) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(schema + "_") && name.ends_with(".bin")) {
      found.push_back(entry.path().parent_path() / entry.path().stem());
    }
  }
  std::ranges::sort(found);
  return found;
}

fs::path with_ending(fs::path file, const char* ending) { return file += ending; }

Bytes current(const std::string& schema) { return read_bytes(fs::path(BINARY_SCHEMAS) / (schema + ".bfbs")); }

/// Fixtures of the release that this schema reads otherwise than they were written.
std::vector<std::string> misread_fixtures(const fs::path& release, const std::string& name,
                                          const Bytes& schema) {
  std::vector<std::string> misread;
  for (const auto& fixture : fixtures(release, name)) {
    const auto found = contract::dump(schema, read_bytes(with_ending(fixture, ".bin")));
    if (found != read_text(with_ending(fixture, ".txt"))) misread.push_back(fixture.filename().string());
  }
  return misread;
}

/// Lines of the release's names that this schema no longer has.
std::vector<std::string> lost_names(const fs::path& release, const std::string& name, const Bytes& schema) {
  const auto now = contract::names_of(schema);
  const std::set<std::string> known(now.begin(), now.end());
  std::vector<std::string> lost;
  std::ifstream lines(release / (name + "_names.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (!known.contains(line)) lost.push_back(line);
  }
  return lost;
}

/// A directory with the schemas, to change them in.
class ChangedSchemas {
 public:
  explicit ChangedSchemas(const fs::path& source)
      : directory_(fs::temp_directory_path() / ("carehub-schemas-" + std::to_string(::getpid()))) {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    for (const auto* name : kSchemas) {
      const std::string file = std::string(name) + ".fbs";
      fs::copy_file(source / file, directory_ / file);
    }
  }
  ~ChangedSchemas() { fs::remove_all(directory_); }
  ChangedSchemas(const ChangedSchemas&) = delete;
  ChangedSchemas& operator=(const ChangedSchemas&) = delete;

  std::string text(const std::string& name) const { return read_text(directory_ / (name + ".fbs")); }

  /// The binary schema of `name` when its text is this.
  Bytes compiled(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / (name + ".fbs")) << text;
    const auto command = std::string(FLATC) + " --binary --schema --bfbs-builtins -I " + directory_.string() +
                         " -o " + directory_.string() + " " + (directory_ / (name + ".fbs")).string();
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
    return read_bytes(directory_ / (name + ".bfbs"));
  }

 private:
  fs::path directory_;
};

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  return std::string(text).replace(at, from.size(), to);
}

struct Change {
  std::string what;
  std::string text;
};

std::string without_comments(const std::string& text) {
  return std::regex_replace(text, std::regex("//[^\n]*"), "");
}

/// The schema without the last field of each table, one table at a time.
std::vector<Change> without_last_fields(const std::string& schema) {
  const auto text = without_comments(schema);
  std::vector<Change> changes;
  const std::regex table(R"(table (\w+) \{([^}]*)\})");
  for (std::sregex_iterator it(text.begin(), text.end(), table), end; it != end; ++it) {
    const auto body_at = static_cast<std::size_t>(it->position(2));
    const auto body = it->str(2);
    const auto last = body.rfind(';');
    const auto before = last == 0 ? std::string::npos : body.rfind(';', last - 1);
    const auto from = before == std::string::npos ? 0 : before + 1;
    changes.push_back(
        {it->str(1), text.substr(0, body_at) + body.substr(0, from) + text.substr(body_at + body.size())});
  }
  return changes;
}

/// The schema with the last value of each enumeration under another name, one enumeration at a time.
std::vector<Change> with_reused_values(const std::string& schema) {
  const auto text = without_comments(schema);
  std::vector<Change> changes;
  const std::regex values(R"(enum (\w+) : ubyte \{[^}]*?(\w+)\s*\})");
  for (std::sregex_iterator it(text.begin(), text.end(), values), end; it != end; ++it) {
    changes.push_back(
        {it->str(1), text.substr(0, static_cast<std::size_t>(it->position(2))) + "something_else" +
                         text.substr(static_cast<std::size_t>(it->position(2) + it->length(2)))});
  }
  return changes;
}

}  // namespace

TEST_CASE("every fixture of every release is read field by field as it was written") {
  REQUIRE_FALSE(releases().empty());
  for (const auto& release : releases()) {
    for (const std::string name : kSchemas) {
      INFO(release.filename() << " " << name);
      REQUIRE(fixtures(release, name).size() >= 14);
      CHECK_THAT(misread_fixtures(release, name, current(name)), Catch::Equals(std::vector<std::string>{}));
    }
  }
}

TEST_CASE("the generated readers accept every fixture of every release") {
  for (const auto& release : releases()) {
    for (const std::string name : kSchemas) {
      for (const auto& fixture : fixtures(release, name)) {
        INFO(fixture);
        const auto bytes = read_bytes(with_ending(fixture, ".bin"));
        flatbuffers::Verifier verifier(bytes.data(), bytes.size());
        if (name == "event") CHECK(verified_event(bytes) != nullptr);
        if (name == "ledger") CHECK(ledger::VerifyBodyBuffer(verifier));
        if (name == "wire") CHECK(wire::VerifyFrameBuffer(verifier));
      }
    }
  }
}

TEST_CASE("a released event shows its fields by name") {
  for (const auto& release : releases()) {
    for (const auto& fixture : fixtures(release, "event")) {
      INFO(fixture);
      const auto bytes = read_bytes(with_ending(fixture, ".bin"));
      const auto* event = verified_event(bytes);
      REQUIRE(event != nullptr);
      const std::string type = event_type_name(event->type());
      CHECK(fixture.filename() == "event_" + type);
      std::size_t of_payload = 0;
      std::size_t of_person = 0;
      visit_fields(*event, [&](const std::string& path, std::string_view) {
        of_payload += path.starts_with(type + ".") ? 1 : 0;
        of_person += path.starts_with("person.") ? 1 : 0;
      });
      CHECK(of_payload > 0);
      CHECK(of_person > 80);
    }
  }
}

TEST_CASE("every name and number of every release still stands") {
  for (const auto& release : releases()) {
    for (const std::string name : kSchemas) {
      INFO(release.filename() << " " << name);
      CHECK_THAT(lost_names(release, name, current(name)), Catch::Equals(std::vector<std::string>{}));
    }
  }
}

TEST_CASE("fixtures are the same whenever they are made") {
  for (const std::string name : kSchemas) {
    const auto first = contract::fixtures_of(current(name), name);
    const auto second = contract::fixtures_of(current(name), name);
    REQUIRE(first.size() == second.size());
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i].bytes == second[i].bytes);
  }
}

TEST_CASE("fixtures leave no field of a table empty") {
  // Each slot of each table that the released names list shows up in some fixture's text.
  for (const auto& release : releases()) {
    for (const std::string name : kSchemas) {
      std::string all;
      for (const auto& fixture : fixtures(release, name)) all += read_text(with_ending(fixture, ".txt"));
      const std::regex field("table carehub\\." + name + R"(\.(\w+) (\d+) (\w+):(\S+) .*)");
      const auto root = name == "event" ? "Event" : name == "ledger" ? "Body" : "Frame";
      std::ifstream lines(release / (name + "_names.txt"));
      for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (!std::regex_match(line, match, field) || match.str(1) == root) continue;
        INFO(line);
        CHECK(all.find(match.str(3) + " @" + match.str(2)) != std::string::npos);
      }
    }
  }
}

TEST_CASE("a last field that was dropped from any table is noticed, by its name and in the bytes") {
  const auto release = releases().back();
  for (const std::string name : kSchemas) {
    const ChangedSchemas schemas(release);
    const auto changes = without_last_fields(schemas.text(name));
    REQUIRE(changes.size() >= 10);
    for (const auto& change : changes) {
      INFO(name << ".fbs without the last field of " << change.what);
      const auto schema = schemas.compiled(name, change.text);
      CHECK_FALSE(lost_names(release, name, schema).empty());
      CHECK_FALSE(misread_fixtures(release, name, schema).empty());
    }
  }
}

TEST_CASE("an enumeration value that was given another name is noticed") {
  const auto release = releases().back();
  for (const std::string name : kSchemas) {
    const ChangedSchemas schemas(release);
    const auto changes = with_reused_values(schemas.text(name));
    REQUIRE(changes.size() >= 2);
    for (const auto& change : changes) {
      INFO(name << ".fbs with the last value of " << change.what << " reused");
      CHECK(lost_names(release, name, schemas.compiled(name, change.text)).size() == 1);
    }
  }
}

TEST_CASE("an event type that was given another name is noticed in the bytes") {
  const auto release = releases().back();
  const ChangedSchemas schemas(release);
  const auto schema = schemas.compiled(
      "event", replaced(schemas.text("event"), "crisis_contact, attendance,", "attendance, crisis_contact,"));
  const auto misread = misread_fixtures(release, "event", schema);
  CHECK(std::ranges::count(misread, "event_crisis_contact") == 1);
  CHECK(std::ranges::count(misread, "event_attendance") == 1);
}

TEST_CASE("a field of another type, place, default or name is noticed") {
  const auto release = releases().back();
  for (const auto& [name, from, to] : {
           std::tuple{"event", "free:uint32", "free:int32"},
           std::tuple{"event", "building:string; floor:string;", "floor:string; building:string;"},
           std::tuple{"event", "floor:string", "storey:string"},
           std::tuple{"event", "offset_minutes:int16", "offset_seconds:int16"},
           std::tuple{"event", "id:string (required)", "id:string"},
           std::tuple{"ledger", "age_max_years:ubyte = 255", "age_max_years:ubyte = 17"},
           std::tuple{"ledger", "file_identifier \"CHLE\"", "file_identifier \"CHLF\""},
           std::tuple{"wire", "durable:bool = true", "durable:bool"},
           std::tuple{"wire", "Hello, Welcome, Rejected", "Welcome, Hello, Rejected"},
       }) {
    INFO(from << " became " << to);
    const ChangedSchemas schemas(release);
    CHECK_FALSE(
        lost_names(release, name, schemas.compiled(name, replaced(schemas.text(name), from, to))).empty());
  }
}

TEST_CASE("a field, a value or an entry that was added at the end is no fault") {
  const auto release = releases().back();
  for (const auto& [name, from, to] : {
           std::tuple{"event", "building:string; floor:string;",
                      "building:string; floor:string; wing:string;"},
           std::tuple{"event", "unknown = 0, given, refused, withdrawn",
                      "unknown = 0, given, refused, withdrawn, lapsed"},
           std::tuple{"ledger", "table Body {", "table Pause { reason:string; } table Body {"},
           std::tuple{"wire", "table Heartbeat { at:int64; }", "table Heartbeat { at:int64; load:ubyte; }"},
       }) {
    INFO(to);
    const ChangedSchemas schemas(release);
    const auto schema = schemas.compiled(name, replaced(schemas.text(name), from, to));
    CHECK(lost_names(release, name, schema).empty());
    CHECK(misread_fixtures(release, name, schema).empty());
  }
}
