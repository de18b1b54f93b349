#include "adapters/transports/line_file.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/awaited.hpp"
#include "tests/fakes/hand_clock.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::Awaited;
using fakes::TemporaryFolder;
using ledger::NakKind;

constexpr std::int64_t kMorningUs = 1'772'357'400'000'000;  // 2026-03-01T09:30Z
constexpr std::int64_t kDayMs = 86'400'000;

/// A file writer on a clock that the test moves, and what became of each line.
struct Written {
  explicit Written(std::uint64_t file_bytes_max = 1'000) {
    auto made = LineFile::make({.channel = "desk-shadow",
                                .directory = folder.path(),
                                .file_bytes_max = file_bytes_max,
                                .clock = &clock});
    REQUIRE(made);
    lines = std::move(*made);
  }
  SendResult line(const std::string& text) {
    const Awaited<SendResult> done;
    const std::string whole = text + "\n";
    lines->send({Bytes(whole.begin(), whole.end()), "application/x-ndjson", text}, fakes::into(done));
    return done.get();
  }

  TemporaryFolder folder;
  fakes::HandClock clock{Timestamp{kMorningUs}};
  std::unique_ptr<LineFile> lines;
};

TEST_CASE("lines are appended to a file of the channel and the day, and the next day has its own") {
  Written written;
  CHECK_FALSE(written.line("one").nak);
  CHECK_FALSE(written.line("two").nak);
  CHECK(written.folder.read("desk-shadow-2026-03-01.jsonl") == "one\ntwo\n");
  written.clock.advance_ms(kDayMs);
  CHECK_FALSE(written.line("three").nak);
  CHECK(written.folder.read("desk-shadow-2026-03-02.jsonl") == "three\n");
}

TEST_CASE("a file that is full is followed by the next of the day, after a restart too") {
  Written written(10);
  for (const char* text : {"aaaa", "bbbb", "cccc", "a line that is over the limit alone", "dddd"})
    CHECK_FALSE(written.line(text).nak);
  CHECK(written.folder.read("desk-shadow-2026-03-01.jsonl") == "aaaa\nbbbb\n");
  CHECK(written.folder.read("desk-shadow-2026-03-01.2.jsonl") == "cccc\n");
  CHECK(written.folder.read("desk-shadow-2026-03-01.3.jsonl") == "a line that is over the limit alone\n");
  CHECK(written.folder.read("desk-shadow-2026-03-01.4.jsonl") == "dddd\n");
  written.lines = std::move(*LineFile::make({.channel = "desk-shadow",
                                             .directory = written.folder.path(),
                                             .file_bytes_max = 10,
                                             .clock = &written.clock}));
  CHECK_FALSE(written.line("eeee").nak);
  CHECK(written.folder.read("desk-shadow-2026-03-01.4.jsonl") == "dddd\neeee\n");
}

TEST_CASE("what a crash left of a line is cut off before the next") {
  for (const auto& [before, after] :
       {std::pair<std::string, std::string>{"whole\nhalf a li", "whole\nnext\n"},
        {"no line at all", "next\n"},
        {"whole\n" + std::string(200'000, 'x'), "whole\nnext\n"},
        {"whole\n", "whole\nnext\n"}}) {
    Written written(1U << 20U);
    written.folder.write("desk-shadow-2026-03-01.jsonl", before);
    CHECK_FALSE(written.line("next").nak);
    CHECK(written.folder.read("desk-shadow-2026-03-01.jsonl") == after);
  }
}

TEST_CASE("a file that is taken away to be looked at is begun again") {
  Written written;
  CHECK_FALSE(written.line("one").nak);
  std::filesystem::rename(written.folder.path() / "desk-shadow-2026-03-01.jsonl",
                          written.folder.path() / "mine");
  CHECK_FALSE(written.line("two").nak);
  CHECK(written.folder.read("desk-shadow-2026-03-01.jsonl") == "two\n");
}

TEST_CASE("a directory that is gone is unavailable with its reason, and lines come again when it is back") {
  Written written;
  const auto away = written.folder.path().string() + ".away";
  std::filesystem::rename(written.folder.path(), away);
  const SendResult result = written.line("one");
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "shadow file: folder missing");
  std::filesystem::rename(away, written.folder.path());
  CHECK_FALSE(written.line("one").nak);
  CHECK(written.folder.read("desk-shadow-2026-03-01.jsonl") == "one\n");
}

TEST_CASE("a link in the file's place is not followed") {
  Written written;
  std::filesystem::create_symlink(written.folder.path() / "elsewhere",
                                  written.folder.path() / "desk-shadow-2026-03-01.jsonl");
  CHECK(written.line("one").nak == NakKind::unavailable);
  CHECK_FALSE(written.folder.has("elsewhere"));
}

TEST_CASE("a directory that is missing is said at once, with the remedy") {
  const TemporaryFolder folder;
  const auto made = LineFile::make({.channel = "desk-shadow", .directory = folder.path() / "none"});
  REQUIRE_FALSE(made);
  CHECK(made.error().kind == ErrorKind::unavailable);
  CHECK(made.error().text.find("is missing. Make it") != std::string::npos);
}

TEST_CASE("one that has stopped says so for every line") {
  Written written;
  written.lines->stop();
  CHECK(written.line("late").nak == NakKind::unavailable);
}

}  // namespace
}  // namespace carehub::adapters
