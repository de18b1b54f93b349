#include "adapters/transports/folder_writer.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <future>

#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::TemporaryFolder;
using ledger::NakKind;

Rendered message(Sequence sequence, const std::string& text, const std::string& id = "0f7e") {
  Rendered rendered{Bytes(text.begin(), text.end()), "text/csv", id};
  rendered.sequence = sequence;
  rendered.appended_at = {1'772'357'400 * kSecondUs};  // 2026-03-01T09:30:00Z
  return rendered;
}

SendResult send(FolderWriter& writer, Rendered rendered) {
  std::promise<SendResult> done;
  writer.send(std::move(rendered), [&](SendResult result) { done.set_value(std::move(result)); });
  return done.get_future().get();
}

FolderWriterOptions options(const TemporaryFolder& folder,
                            const std::string& name = "carehub-{date}-{sequence}.csv") {
  return {.channel = "holm-notices", .directory = folder.path(), .name = name};
}

TEST_CASE("a message becomes a whole file with the name of its delivery") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder, "{date}T{time}-{sequence}-{id}.csv"));
  CHECK_FALSE(send(writer, message(42, "a,b\r\n")).nak);
  CHECK(folder.files() == std::set<std::string>{"2026-03-01T093000-42-0f7e.csv"});
  CHECK(folder.read("2026-03-01T093000-42-0f7e.csv") == "a,b\r\n");
}

TEST_CASE("the same delivery again makes no second file, also after a restart") {
  TemporaryFolder folder;
  for (int run = 0; run < 2; ++run) {
    FolderWriter writer(options(folder));
    CHECK_FALSE(send(writer, message(42, "same")).nak);
    CHECK_FALSE(send(writer, message(42, "same")).nak);
  }
  CHECK(folder.files() == std::set<std::string>{"carehub-2026-03-01-42.csv"});
}

TEST_CASE("a replay of a delivery is a file of its own, marked in its name") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder));
  CHECK_FALSE(send(writer, message(42, "a,b\r\n")).nak);
  auto again = message(42, "a,b\r\n");
  again.replay = "holm-notices/replay-97";
  CHECK_FALSE(send(writer, std::move(again)).nak);
  CHECK(folder.files() ==
        std::set<std::string>{"carehub-2026-03-01-42.csv", "carehub-2026-03-01-42.replay-97.csv"});
}

TEST_CASE("a file that is there already is never overwritten") {
  TemporaryFolder folder;
  folder.write("carehub-2026-03-01-42.csv", "somebody else's");
  FolderWriter writer(options(folder));
  CHECK_FALSE(send(writer, message(42, "ours")).nak);
  CHECK_FALSE(send(writer, message(42, "ours")).nak);
  CHECK(folder.read("carehub-2026-03-01-42.csv") == "somebody else's");
  CHECK(folder.read("carehub-2026-03-01-42.2.csv") == "ours");
  CHECK(folder.files().size() == 2);
}

TEST_CASE("an id cannot lead out of the folder") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder, "x{id}"));
  CHECK_FALSE(send(writer, message(1, "text", "../../etc/passwd\n\xC3\xA9")).nak);
  CHECK(folder.files() == std::set<std::string>{"x______etc_passwd___"});
}

TEST_CASE("a file that an earlier run left half written is removed") {
  TemporaryFolder folder;
  folder.write(".carehub-holm-notices.tmp", "ha");
  FolderWriter writer(options(folder));
  CHECK_FALSE(send(writer, message(1, "text")).nak);
  CHECK(folder.files() == std::set<std::string>{"carehub-2026-03-01-1.csv"});
}

TEST_CASE("a folder that is missing is unavailable, and is fine when it is back") {
  TemporaryFolder folder;
  FolderWriterOptions missing = options(folder);
  missing.directory /= "share";
  FolderWriter writer(missing);
  const SendResult result = send(writer, message(1, "text"));
  CHECK(result.nak == NakKind::unavailable);
  CHECK(result.code == "folder missing");
  std::filesystem::create_directory(missing.directory);
  CHECK_FALSE(send(writer, message(1, "text")).nak);
}

TEST_CASE("a folder is made where the configuration says so") {
  TemporaryFolder folder;
  FolderWriterOptions deep = options(folder);
  deep.directory /= "a/b";
  deep.create = true;
  FolderWriter writer(deep);
  CHECK_FALSE(send(writer, message(1, "text")).nak);
  CHECK(folder.has("a/b/carehub-2026-03-01-1.csv"));
}

TEST_CASE("a folder in which nobody can make a file is unavailable") {
  TemporaryFolder folder;
  FolderWriterOptions closed = options(folder, "{sequence}");
  closed.directory = "/proc/self";
  FolderWriter writer(closed);
  CHECK(send(writer, message(1, "text")).nak == NakKind::unavailable);
}

TEST_CASE("a disk that is full is unavailable and leaves nothing half written") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder));
  // The limit on a file's size gives the same half write as a full disk, on any machine.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const SendResult result = send(writer, message(1, std::string(1000, 'x')));
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(result.nak == NakKind::unavailable);
  CHECK(folder.files().empty());
  CHECK_FALSE(send(writer, message(1, std::string(1000, 'x'))).nak);
}

TEST_CASE("a name that the file system cannot hold is refused for good") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder, std::string(300, 'x') + "{sequence}"));
  const SendResult result = send(writer, message(1, "text"));
  CHECK(result.nak == NakKind::rejected);
  CHECK(result.code == "name too long");
}

TEST_CASE("a writer that has stopped takes nothing") {
  TemporaryFolder folder;
  FolderWriter writer(options(folder));
  writer.stop();
  CHECK(send(writer, message(1, "text")).nak == NakKind::unavailable);
}

TEST_CASE("a pattern for names must tell deliveries apart and stay in the folder") {
  for (const char* pattern : {"carehub-{date}-{sequence}.csv", "{id}", "a{time}{sequence}"}) {
    INFO(pattern);
    CHECK(check_name_pattern(pattern));
  }
  for (const char* pattern : {"", "all.csv", "{date}.csv", "{sequence", "sequence}", "{sequnce}.csv",
                              "../{sequence}", "/tmp/{sequence}", ".{sequence}"}) {
    INFO(pattern);
    CHECK_FALSE(check_name_pattern(pattern));
  }
}

}  // namespace
}  // namespace carehub::adapters
