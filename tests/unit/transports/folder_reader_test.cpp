#include "adapters/transports/folder_reader.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>

#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::eventually;
using fakes::TemporaryFolder;
using Reply = std::function<void(TransportReply)>;

client::Refused refused_row() {
  client::Refused refused;
  refused.code = "bad_value";
  refused.place = "line 4, column NHS Number";
  refused.text = "the check digit is wrong";
  return refused;
}

/// The channel's side: keeps what came, and answers with what the test says.
struct Inbox {
  Receive receive() {
    return [this](Bytes message, Arrival arrival, Reply reply) {
      std::unique_lock lock(mutex);
      received.emplace_back(arrival.source, std::string(text_of(message)));
      if (hold) {
        held.push_back(std::move(reply));
        return;
      }
      const bool is_busy = busy > 0;
      if (is_busy) --busy;
      lock.unlock();
      reply({.busy = is_busy,
             .messages = {},
             .results = is_busy ? std::vector<client::PublishResult>{} : results});
    };
  }
  std::vector<std::pair<std::string, std::string>> files() {
    const std::lock_guard lock(mutex);
    return received;
  }
  std::mutex mutex;
  std::vector<std::pair<std::string, std::string>> received;
  std::vector<Reply> held;
  std::vector<client::PublishResult> results{client::Receipt{}};
  int busy = 0;
  bool hold = false;
};

FolderReaderOptions options(const TemporaryFolder& folder) {
  return {.channel = "holm-referrals",
          .directory = folder.path(),
          .pattern = "*.csv",
          .poll_ms = 10,
          .stop_ms = 2000};
}

using Files = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("a file is taken whole and goes to done") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("pupils.csv", "a,b\n1,2\n");
  REQUIRE(eventually([&] { return folder.has("done/pupils.csv"); }));
  CHECK(inbox.files() == Files{{"pupils.csv", "a,b\n1,2\n"}});
  CHECK(folder.read("done/pupils.csv") == "a,b\n1,2\n");
  CHECK(folder.files().empty());
  CHECK(folder.files("refused").empty());
}

TEST_CASE("a file that still grows is left until it has stopped") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReaderOptions slow = options(folder);
  slow.quiet_ms = 4'000;  // far above the pauses of the writer, on a busy machine too
  FolderReader reader(slow);
  REQUIRE(reader.start(inbox.receive()));
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "row\n";
    folder.append("growing.csv", "row\n");
    ::usleep(20'000);
  }
  REQUIRE(eventually([&] { return folder.has("done/growing.csv"); }));
  CHECK(inbox.files() == Files{{"growing.csv", text}});
}

TEST_CASE("an upload that stalls for less than the quiet time is taken once, whole") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReaderOptions patient = options(folder);
  patient.quiet_ms = 4'000;  // far above the pause below, on a busy machine too
  FolderReader reader(patient);
  REQUIRE(reader.start(inbox.receive()));
  folder.write("stalled.csv", "first half\n");
  ::usleep(100'000);  // ten looks
  CHECK(inbox.files().empty());
  folder.append("stalled.csv", "second half\n");
  REQUIRE(eventually([&] { return folder.has("done/stalled.csv"); }));
  CHECK(inbox.files() == Files{{"stalled.csv", "first half\nsecond half\n"}});
}

TEST_CASE("a file that is written on while it is handed over is taken again, whole") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.hold = true;
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "first half\n");
  REQUIRE(eventually([&] { return inbox.files().size() == 1; }));
  folder.write(".carehub/a.csv", "first half\nsecond half\n");
  Reply held;
  {
    const std::lock_guard lock(inbox.mutex);
    inbox.hold = false;
    held = inbox.held.at(0);
  }
  held({.busy = false, .messages = {}, .results = {client::Receipt{}}});
  REQUIRE(eventually([&] { return folder.has("done/a.csv"); }));
  CHECK(inbox.files() == Files{{"a.csv", "first half\n"}, {"a.csv", "first half\nsecond half\n"}});
}

TEST_CASE("a file whose reasons cannot be written is handed over once, and leaves when they can") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {client::Receipt{}, refused_row()};
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  std::filesystem::remove(folder.path() / "refused");
  folder.write("refused", "a file in the folder's place");
  folder.write("a.csv", "rows");
  REQUIRE(eventually([&] { return inbox.files().size() == 1; }));
  ::usleep(400'000);  // it has tried again twice
  CHECK(folder.has(".carehub/a.csv"));
  std::filesystem::remove(folder.path() / "refused");
  REQUIRE(eventually([&] { return folder.has("done/a.csv"); }));
  CHECK(folder.has("refused/a.csv.reason.txt"));
  CHECK(inbox.files().size() == 1);
}

TEST_CASE("with done files a file waits for its own") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReaderOptions with_done = options(folder);
  with_done.done_file = true;
  FolderReader reader(with_done);
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "a");
  folder.write("b.csv", "b");
  folder.write("b.csv.done", "");
  REQUIRE(eventually([&] { return folder.has("done/b.csv"); }));
  CHECK(inbox.files() == Files{{"b.csv", "b"}});
  CHECK(folder.files() == std::set<std::string>{"a.csv"});
}

TEST_CASE("files are taken oldest first") {
  TemporaryFolder folder;
  Inbox inbox;
  for (const char* name : {"c.csv", "a.csv", "b.csv"}) {
    folder.write(name, name);
    ::usleep(20'000);
  }
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  REQUIRE(eventually([&] { return folder.files("done").size() == 3; }));
  CHECK(inbox.files() == Files{{"c.csv", "c.csv"}, {"a.csv", "a.csv"}, {"b.csv", "b.csv"}});
}

TEST_CASE("a file of which some rows are refused goes to done, with the reasons in refused") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {client::Receipt{}, refused_row(), client::NotKept{}};
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("mixed.csv", "rows");
  REQUIRE(eventually([&] { return folder.has("done/mixed.csv"); }));
  CHECK(folder.read("refused/mixed.csv.reason.txt") ==
        "1 of 3 refused\nline 4, column NHS Number: bad_value: the check digit is wrong\n");
  CHECK(folder.files("refused") == std::set<std::string>{"mixed.csv.reason.txt"});
}

TEST_CASE("a file of which nothing is taken goes to refused, beside its reasons") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {refused_row()};
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("bad.csv", "rows");
  REQUIRE(eventually([&] { return folder.has("refused/bad.csv"); }));
  CHECK(folder.has("refused/bad.csv.reason.txt"));
  CHECK(folder.files("done").empty());
}

TEST_CASE("an empty file and one over the limit are refused with the reason, unseen by the hub") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReaderOptions small = options(folder);
  small.file_bytes_max = 10;
  FolderReader reader(small);
  REQUIRE(reader.start(inbox.receive()));
  folder.write("empty.csv", "");
  folder.write("large.csv", "01234567890");
  REQUIRE(eventually([&] { return folder.has("refused/empty.csv") && folder.has("refused/large.csv"); }));
  CHECK(folder.read("refused/empty.csv.reason.txt") == "the file is empty\n");
  CHECK(folder.read("refused/large.csv.reason.txt") == "the file is over the limit of 10 bytes: split it\n");
  CHECK(inbox.files().empty());
}

TEST_CASE("hidden files, other names, links, folders and pipes are left alone") {
  TemporaryFolder folder;
  TemporaryFolder outside;
  Inbox inbox;
  outside.write("secret.csv", "secret");
  folder.write(".hidden.csv", "x");
  folder.write("notes.txt", "x");
  folder.write("folder.csv/inside.csv", "x");
  std::filesystem::create_symlink(outside.path() / "secret.csv", folder.path() / "link.csv");
  REQUIRE(::mkfifo((folder.path() / "pipe.csv").c_str(), 0600) == 0);
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("real.csv", "real");
  REQUIRE(eventually([&] { return folder.has("done/real.csv"); }));
  ::usleep(50'000);
  CHECK(inbox.files() == Files{{"real.csv", "real"}});
  CHECK(folder.files() == std::set<std::string>{".hidden.csv", "notes.txt", "link.csv", "pipe.csv"});
  CHECK(outside.has("secret.csv"));
}

TEST_CASE("a file that a crash left claimed is handed over again") {
  TemporaryFolder folder;
  Inbox inbox;
  folder.write(".carehub/pupils.csv", "rows");
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  REQUIRE(eventually([&] { return folder.has("done/pupils.csv"); }));
  CHECK(inbox.files() == Files{{"pupils.csv", "rows"}});
}

TEST_CASE("a crash after the reasons were written tells them again, once") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {client::Receipt{}, refused_row()};
  folder.write(".carehub/pupils.csv", "rows");
  folder.write("refused/pupils.csv.reason.txt", "half a li");
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  REQUIRE(eventually([&] { return folder.has("done/pupils.csv"); }));
  CHECK(folder.read("refused/pupils.csv.reason.txt").starts_with("1 of 2 refused\n"));
  CHECK(folder.files("refused").size() == 1);
}

TEST_CASE("while the hub is busy the file stays claimed and is handed over again") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.busy = 2;
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "rows");
  REQUIRE(eventually([&] { return folder.has("done/a.csv"); }));
  CHECK(inbox.files().size() == 3);
}

TEST_CASE("a reader that stops in the middle of a file leaves it claimed for the next start") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.hold = true;
  FolderReaderOptions impatient = options(folder);
  impatient.stop_ms = 50;
  FolderReader reader(impatient);
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "rows");
  REQUIRE(eventually([&] { return inbox.files().size() == 1; }));
  reader.stop();
  CHECK(folder.has(".carehub/a.csv"));
  inbox.held.at(0)({});  // too late, and harmless
}

TEST_CASE("a second file of the same name overwrites nothing") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "first");
  REQUIRE(eventually([&] { return folder.has("done/a.csv"); }));
  folder.write("a.csv", "second");
  REQUIRE(eventually([&] { return folder.has("done/a.2.csv"); }));
  CHECK(folder.read("done/a.csv") == "first");
  CHECK(folder.read("done/a.2.csv") == "second");
}

TEST_CASE("names of any length that a file can have are put away, with their reasons") {
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {client::Receipt{}, refused_row()};
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  std::string longest;
  while (longest.size() < 250) longest += "\xC3\xA9";  // é
  for (const std::size_t files : {1U, 2U}) {
    folder.write(longest + ".csv", "file " + std::to_string(files));
    REQUIRE(eventually([&] { return folder.files("done").size() == files; }));
  }
  const std::string first = longest.substr(0, 240) + ".csv";
  const std::string second = longest.substr(0, 238) + ".2.csv";
  CHECK(folder.files("done") == std::set<std::string>{first, second});
  CHECK(folder.files("refused") == std::set<std::string>{first + ".reason.txt", second + ".reason.txt"});
  CHECK(folder.read("done/" + second) == "file 2");
}

TEST_CASE("a name that has been used a hundred times is told apart by the file's time") {
  TemporaryFolder folder;
  Inbox inbox;
  folder.write("done/a.csv", "old");
  for (int number = 2; number <= 100; ++number)
    folder.write("done/a." + std::to_string(number) + ".csv", "old");
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("a.csv", "new");
  REQUIRE(eventually([&] { return folder.files("done").size() == 101; }));
  const auto names = folder.files("done");
  const auto timed =
      std::find_if(names.begin(), names.end(), [](const std::string& name) { return name.size() > 20; });
  REQUIRE(timed != names.end());
  CHECK(timed->starts_with("a.20"));
  CHECK(timed->ends_with("Z.csv"));
  CHECK(folder.read("done/" + *timed) == "new");
}

TEST_CASE(
    "a file that cannot be put away holds up no other, is told once without its name, and leaves later") {
  const fakes::CapturedLog log;
  TemporaryFolder folder;
  Inbox inbox;
  inbox.results = {client::Receipt{}, refused_row()};
  std::filesystem::create_directories(folder.path() / "refused/ann-marlow.csv.reason.txt/in the way");
  FolderReader reader(options(folder));
  REQUIRE(reader.start(inbox.receive()));
  folder.write("ann-marlow.csv", "rows");
  REQUIRE(eventually([&] { return folder.has(".carehub/ann-marlow.csv") && log.has("code=CH-FOLDER"); }));
  for (const std::string name : {"b.csv", "c.csv"}) {
    folder.write(name, "rows");
    REQUIRE(eventually([&] { return folder.has("done/" + name); }));
  }
  CHECK(folder.has(".carehub/ann-marlow.csv"));
  CHECK(log.lines_with("code=CH-FOLDER alarm=true") == 1);
  CHECK(log.has("-inum "));
  CHECK(log.has("name taken. Tidy up done/ and refused/"));
  CHECK_FALSE(log.has("marlow"));
  std::filesystem::remove_all(folder.path() / "refused/ann-marlow.csv.reason.txt");
  REQUIRE(eventually([&] { return folder.has("done/ann-marlow.csv"); }));
  CHECK(inbox.files().size() == 3);  // the hub was asked once for each
}

TEST_CASE("a folder that is missing is said at start, with the remedy") {
  TemporaryFolder folder;
  Inbox inbox;
  FolderReaderOptions missing = options(folder);
  missing.directory /= "share";
  {
    FolderReader reader(missing);
    const auto started = reader.start(inbox.receive());
    REQUIRE_FALSE(started);
    CHECK(started.error().kind == ErrorKind::unavailable);
    CHECK(started.error().text.find("holm-referrals") != std::string::npos);
    CHECK(started.error().text.find("is missing. Make it, mount it") != std::string::npos);
  }
  missing.create = true;
  FolderReader reader(missing);
  CHECK(reader.start(inbox.receive()));
}

}  // namespace
}  // namespace carehub::adapters
