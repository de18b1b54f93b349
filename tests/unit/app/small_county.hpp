#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <thread>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/app/told.hpp"

namespace carehub::test {

/// A council that posts flags as files and reads them at its desk, and a commissioner that may publish
/// nothing: the smallest configuration with every part.
class SmallCounty {
 public:
  SmallCounty() {
    folder.write("hub.toml", kHub);
    folder.write("policy.toml", kPolicy);
    folder.write("packs/events.toml",
                 "[pack]\nname = \"events\"\nversion = \"1\"\nformat = \"json\"\ndirection = \"in\"\n"
                 "native = true\n");
  }

  std::filesystem::path config() const { return folder.path() / "hub.toml"; }
  /// hub.toml with one text in another's place.
  void change(const std::string& what, const std::string& by) const {
    std::string text = folder.read("hub.toml");
    const auto at = text.find(what);
    if (at == std::string::npos) FAIL("hub.toml does not hold: " + what);
    folder.write("hub.toml", text.replace(at, what.size(), by));
  }
  /// A flag about one child, as the council's system would write it. Without an id: another at each publish.
  static std::string flag(const std::string& id, const std::string& status = "raised") {
    return R"({"type":"safeguarding_flag",)" + (id.empty() ? "" : R"("id":")" + id + "\",") +
           R"("source_agency":"council","occurred_at":"2026-03-02T10:00+00:00","person":{)" +
           R"("nhs_number":"9990000018","birth_date":"2012-05-03","names":[{"family":"Marlow"}],)" +
           R"("home_authority":{"code":"E10000099","scheme":"gss"}},)" +
           R"("safeguarding_flag":{"status":")" + status + R"("}})" + "\n";
  }

  fakes::TemporaryFolder folder;

 private:
  static constexpr const char* kHub = R"([hub]
name = "Small"
data = "data"
policy = "policy.toml"
packs = "packs"
[broker]
listen = ["ipc://hub.sock"]
[[agency]]
id = "council"
name = "Council"
kind = "council"
codes = ["E10000099"]
may_publish = ["safeguarding_flag"]
roles = ["desk"]
[[agency]]
id = "commissioner"
name = "Commissioner"
kind = "commissioner"
[[channel]]
name = "council-in"
agency = "council"
direction = "in"
transport = { kind = "folder", directory = "in", pattern = "*.json", create = true, poll_ms = 20, quiet_ms = 0 }
pack = "events.toml"
[[channel]]
name = "council-desk"
agency = "council"
direction = "out"
role = "desk"
transport = { kind = "folder", directory = "out", name = "{id}.json", create = true }
)";
  static constexpr const char* kPolicy = R"([[rule]]
name = "desk sees that there is a flag"
role = "desk"
types = ["safeguarding_flag"]
relationship = "resident"
show = ["person.names", "safeguarding_flag"]
sees_restricted = ["*"]
legal_basis = "Children Act 1989 s.47"
[[rule]]
name = "auditor reads the record"
role = "auditor"
types = ["*"]
show = ["*"]
legal_basis = "Children Act 2004 s.11"
)";
};

/// Its hub, run by the command itself on a thread of its own, until it is told to stop.
class RunningCounty : public SmallCounty {
 public:
  explicit RunningCounty(app::RunOptions::Parts parts = app::RunOptions::Parts::broker,
                         const std::function<void(const SmallCounty&)>& prepare = {}) {
    if (prepare) prepare(*this);
    options_.config = config();
    options_.parts = parts;
    start();
  }
  ~RunningCounty() { stop(); }
  RunningCounty(const RunningCounty&) = delete;
  RunningCounty& operator=(const RunningCounty&) = delete;

  /// Tells the hub to stop; what it left with.
  app::ExitCode stop() {
    told.stop = true;
    if (thread_.joinable()) thread_.join();
    return code_;
  }
  std::unique_ptr<client::HubClient> connect(const std::string& agency) const {
    Told mine;
    auto loaded = app::load_config(config(), mine.surroundings);
    if (!loaded) FAIL(mine.err.str());
    auto hub = app::connect(*loaded, "test", agency);
    if (!hub) FAIL(hub.error().text);
    return std::move(*hub);
  }
  /// Publishes what a file would hold.
  app::ExitCode publish(const std::string& text) const {
    Told mine(text);
    app::PublishOptions options;
    options.config = config();
    options.file = "-";
    return app::publish(options, mine.surroundings);
  }

  Told told;

 private:
  void start() {
    thread_ = std::thread([this] { code_ = app::run(options_, told.surroundings); });
    const auto answers = [this] {
      Told mine;
      return app::status({config(), false}, mine.surroundings) == app::ExitCode::ok;
    };
    if (!fakes::eventually(answers)) {
      stop();
      FAIL("the hub did not start: " + told.err.str());
    }
  }

  app::RunOptions options_;
  app::ExitCode code_ = app::ExitCode::ok;
  std::thread thread_;
};

}  // namespace carehub::test
