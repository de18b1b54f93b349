#include "adapters/console/console.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

struct Folder {
  fakes::TemporaryDirectory directory;

  ConfigDocument document(const std::string& console) const {
    const auto file = directory.path() / "hub.toml";
    std::ofstream(file) << console;
    return ConfigDocument::load(file);
  }
  /// Of a console of a hub that is not there.
  ConsoleOptions options() const {
    ConsoleOptions options;
    options.accounts_file = directory.path() / "accounts.toml";
    options.hub.endpoint = "ipc://" + (directory.path() / "none").string();
    return options;
  }
  /// The first fault; empty where there is none.
  std::string fault(const std::string& console) const {
    auto read = document(console);
    (void)read_console(read, {"auditor"});
    read.report_unused();
    return read.faults().empty() ? "" : to_string(read.faults().front());
  }
};

}  // namespace

TEST_CASE("a console is off unless it is configured, and has its accounts beside the configuration") {
  const Folder folder;
  auto none = folder.document("");
  CHECK_FALSE(read_console(none, {}));
  auto document = folder.document("[console]\nlisten = \"127.0.0.1:8443\"\n");
  const auto options = read_console(document, {"auditor"});
  REQUIRE(options);
  CHECK(document.faults().empty());
  CHECK(options->address == "127.0.0.1");
  CHECK(options->port == 8443);
  CHECK(options->accounts_file == folder.directory.path() / "accounts.toml");
  CHECK(options->times.idle_us == 15 * 60 * kSecondUs);
  CHECK(options->times.absolute_us == 12 * 3'600 * kSecondUs);
}

TEST_CASE("without TLS a console listens for its own machine alone") {
  const Folder folder;
  for (const char* address : {"0.0.0.0", "10.0.0.5", "[::]"}) {
    const std::string fault = folder.fault("[console]\nlisten = \"" + std::string(address) + ":8443\"\n");
    CHECK(fault.find("hub.toml:2:") != std::string::npos);
    CHECK(fault.find("without TLS the console listens on a loopback address alone") != std::string::npos);
  }
  CHECK(folder.fault("[console]\nlisten = \"[::1]:8443\"\n").empty());
}

TEST_CASE("what is wrong with a console's configuration is told with its line") {
  const Folder folder;
  for (const char* wrong :
       {"listen = \"127.0.0.1\"", "listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:x\"",
        "listen = \"127.0.0.1:8443\"\nidle_minutes = 0", "listen = \"127.0.0.1:8443\"\nidle_minutes = 61",
        "listen = \"127.0.0.1:8443\"\nsession_hours = 25", "idle_minutes = 5"}) {
    INFO(wrong);
    CHECK(folder.fault("[console]\n" + std::string(wrong) + "\n").find("hub.toml:") != std::string::npos);
  }
}

TEST_CASE("a console does not start with accounts that others may read") {
  const Folder folder;
  const auto file = folder.directory.path() / "accounts.toml";
  std::ofstream(file) << "\n";
  ::chmod(file.c_str(), 0644);
  CHECK(folder.fault("[console]\nlisten = \"127.0.0.1:8443\"\n").find("chmod 600") != std::string::npos);
  IoThread io;
  Console console(io, folder.options());
  const auto started = console.start();
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == ErrorKind::invalid);
}

TEST_CASE("a console takes any free port, and leaves it when it stops") {
  const Folder folder;
  IoThread io;
  Console console(io, folder.options());
  REQUIRE(console.start());
  const auto port = console.port();
  CHECK(port != 0);
  console.stop();
  auto again = folder.options();
  again.port = port;
  Console next(io, again);
  CHECK(next.start());
}
