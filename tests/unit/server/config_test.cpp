#include "broker/server/config.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using server::HubConfig;

namespace {

class Folder {
 public:
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_.path() / name) << text;
    return directory_.path() / name;
  }

 private:
  fakes::TemporaryDirectory directory_;
};

const char* const kPolicy = R"([[rule]]
name = "desk sees admissions"
role = "desk"
types = ["admission"]
show = ["person.names"]
legal_basis = "Children Act 2004 s.10"
)";

const char* const kHub = R"([hub]
name = "Northmarch"
data = "data"
policy = "policy.toml"

[[agency]]
id = "ward"
kind = "hospital"
codes = ["RZX01"]
may_publish = ["admission", "discharge"]

[[agency]]
id = "council"
kind = "council"
codes = ["E10000099"]
roles = ["desk"]
)";

struct Read {
  HubConfig config;
  std::vector<ConfigFault> faults;
};

Read read(const Folder& folder, const std::string& text) {
  auto document = ConfigDocument::load(folder.write("hub.toml", text));
  Read result;
  result.config = server::read_config(document);
  result.faults = document.faults();
  return result;
}

Read read_with(const std::string& more) {
  const Folder folder;
  folder.write("policy.toml", kPolicy);
  return read(folder, std::string(kHub) + more);
}

/// The faults as text, so that a failed test shows them.
std::string all(const std::vector<ConfigFault>& faults) {
  std::string text;
  for (const auto& fault : faults) text += to_string(fault) + "\n";
  return text;
}

const ConfigFault& only(const Read& result) {
  INFO(all(result.faults));
  REQUIRE(result.faults.size() == 1);
  REQUIRE_FALSE(result.faults[0].remedy.empty());
  return result.faults[0];
}

}  // namespace

TEST_CASE("a right configuration becomes plain values") {
  const Read result = read_with(R"(
[[channel]]
name = "ward-adt"
agency = "ward"
direction = "in"
scope = { age_min = 11, age_max = 18, units = ["W12"] }

[[channel]]
name = "desk"
agency = "council"
direction = "out"
role = "desk"
filter = { types = ["admission"], tiers = [4], thrive = ["risk_support"], age_max = 25, schools = ["900101"] }
retry = { attempts_max = 3, backoff_first_ms = 100 }
rate_per_minute = 60
)");
  INFO(all(result.faults));
  REQUIRE(result.faults.empty());
  const HubConfig& config = result.config;
  CHECK(config.name == "Northmarch");
  CHECK(config.data.filename() == "data");
  CHECK(config.data.is_absolute());
  REQUIRE(config.rules.agencies.size() == 2);
  CHECK(config.rules.agencies[0].may_publish ==
        std::vector{event::EventType::admission, event::EventType::discharge});
  CHECK(config.rules.policy_text == std::string("#: policy file \n") + kPolicy);
  CHECK(config.policy.has_role("desk"));
  REQUIRE(config.rules.inbound.size() == 1);
  REQUIRE(config.rules.subscriptions.size() == 1);
  const auto& subscription = config.rules.subscriptions[0];
  CHECK(subscription.name == "desk");
  CHECK(subscription.durable);
  CHECK(subscription.filter.tiers == std::vector<std::uint8_t>{4});
  CHECK(subscription.filter.thrive == std::vector{event::ThriveGroup::risk_support});
  CHECK(subscription.retry.attempts_max == 3);
  CHECK(subscription.retry.backoff_first_ms == 100);
  CHECK(subscription.retry.backoff_max_ms == limits::kBackoffMaxMs);
  CHECK(subscription.rate_per_minute == 60);
}

TEST_CASE("a subscription starts at now, at the beginning, at an entry or at a time, or is faulted") {
  const auto with = [](const std::string& start) {
    return read_with(
        "[[channel]]\nname = \"desk\"\nagency = \"council\"\ndirection = \"out\"\nrole = \"desk\"\n" + start);
  };
  const auto start_of = [&](const std::string& start) {
    const auto result = with(start);
    INFO(all(result.faults));
    REQUIRE(result.faults.empty());
    return result.config.rules.subscriptions.front().start;
  };
  using Kind = core::StartAt::Kind;
  CHECK(start_of("").kind == Kind::now);
  CHECK(start_of("start = \"now\"").kind == Kind::now);
  CHECK(start_of("start = \"beginning\"").kind == Kind::beginning);
  const auto entry = start_of("start = \"1234\"");
  CHECK(entry.kind == Kind::sequence);
  CHECK(entry.sequence == 1234);
  const auto time = start_of("start = \"2026-01-31T00:00:00Z\"");
  CHECK(time.kind == Kind::time);
  CHECK(time.at_us == 1'769'817'600'000'000);
  CHECK(start_of("start = 1234").sequence == 1234);
  CHECK(start_of("start = 2026-01-31T00:00:00Z").at_us == time.at_us);
  CHECK(start_of("start = 2026-01-31 01:00:00+01:00").at_us == time.at_us);
  for (const char* wrong : {"start = 0", "start = -1", "start = 1.5", "start = true", "start = 12:30:00"}) {
    CAPTURE(wrong);
    const auto result = with(wrong);
    CHECK(only(result).column == 9);
    CHECK_FALSE(only(result).remedy.empty());
  }
  const auto faulted = with("start = \"0\"");
  CHECK(only(faulted).text.find("no place in the ledger") != std::string::npos);
  CHECK(only(faulted).column == 9);
}

TEST_CASE("an age limit is the birthday at which it ends") {
  const Read result = read_with(R"(
[[channel]]
name = "ward-adt"
agency = "ward"
direction = "in"
scope = { age_min = 11, age_max = 18 }
[[channel]]
name = "desk"
agency = "council"
direction = "out"
role = "desk"
filter = { age_max = 25 }
)");
  REQUIRE(result.faults.empty());
  CHECK(result.config.rules.inbound[0].scope.age_min_years == 11);
  CHECK(result.config.rules.inbound[0].scope.age_max_years == 17);
  CHECK(result.config.rules.subscriptions[0].filter.age_min_years == 0);
  CHECK(result.config.rules.subscriptions[0].filter.age_max_years == 24);
}

TEST_CASE("a broker without endpoints listens in its data directory") {
  const Read result = read_with("");
  REQUIRE(result.faults.empty());
  REQUIRE(result.config.listen.size() == 1);
  CHECK(result.config.local_endpoint() == "ipc://" + (result.config.data / "hub.sock").string());
}

TEST_CASE("every fault of a configuration is reported at once, each at its place") {
  const Folder folder;
  folder.write("policy.toml", kPolicy);
  const Read result = read(folder, R"([hub]
name = "Northmarch"
data = "data"
policy = "policy.toml"

[[agency]]
id = "ward"
kind = "hospitel"
may_publish = ["admision"]
codes = ["R-1"]

[[agency]]
id = "ward"
kind = "council"
roles = ["dsk"]

[[channel]]
name = "adt"
agency = "wrd"
direction = "in"
scope = { age_min = 18, age_max = 18 }

[[channel]]
name = "adt"
agency = "ward"
direction = "sideways"
)");
  const std::vector<std::pair<std::uint32_t, std::string>> expected = {
      {8, "unknown kind of agency `hospitel`"},
      {9, "unknown event type `admision`"},
      {10, "`R-1` is not an ODS, GSS, URN or LAESTAB code"},
      {13, "the agency `ward` is configured twice"},
      {15, "no rule of the policy names the role `dsk`"},
      {19, "no [[agency]] has the id `wrd`"},
      {21, "age_max is not above age_min"},
      {24, "the channel `adt` is configured twice"},
      {26, "a channel's direction is neither in nor out"},
  };
  INFO(all(result.faults));
  CHECK(result.faults.size() == expected.size());
  for (const auto& [line, text] : expected) {
    INFO(line << " " << text);
    CHECK(std::any_of(result.faults.begin(), result.faults.end(), [&](const ConfigFault& fault) {
      return fault.line == line && fault.column > 0 && fault.text.find(text) != std::string::npos &&
             fault.file.ends_with("hub.toml") && !fault.remedy.empty();
    }));
  }
}

TEST_CASE("a fault points at the value's column") {
  const Read result = read_with("[broker]\nlisten = [\"udp://1.2.3.4:5\"]\n");
  const ConfigFault& fault = only(result);
  CHECK(fault.text == "an endpoint that is neither ipc:// nor tcp://");
  CHECK(fault.line == 18);
  CHECK(fault.column >= 1);
}

TEST_CASE("a misspelt word names the nearest that exists") {
  const Read result = read_with(R"(
[[channel]]
name = "desk"
agency = "counsil"
direction = "out"
role = "desk"
)");
  CHECK(only(result).remedy == "Did you mean `council`?");
}

TEST_CASE("a file that does not parse gives one fault and no other") {
  const Folder folder;
  CHECK(only(read(folder, "[hub\nname = 3\n")).line == 1);
}

TEST_CASE("a configuration that is not there is one fault") {
  auto document = ConfigDocument::load("/nonexistent/hub.toml");
  (void)server::read_config(document);
  CHECK(document.faults().size() == 1);
}

TEST_CASE("a policy that cannot be read is a fault at its key") {
  const Folder folder;
  const ConfigFault fault = only(read(folder, kHub));
  CHECK(fault.line == 4);
  CHECK(fault.text.find("the policy file cannot be read") != std::string::npos);
}

TEST_CASE("faults of the policy come with the policy's own name and lines") {
  const Folder folder;
  folder.write("policy.toml", std::string(kPolicy) +
                                  "\n[[rule]]\nname = \"x\"\nrole = \"desk\"\ntypes = [\"admision\"]\n"
                                  "show = [\"id\"]\nlegal_basis = \"x\"\n");
  const Read result = read(folder, kHub);
  INFO(all(result.faults));
  REQUIRE_FALSE(result.faults.empty());
  CHECK(result.faults[0].file.ends_with("policy.toml"));
  CHECK(result.faults[0].line == 11);
}

TEST_CASE("a role that its agency does not have is a fault") {
  const Read result = read_with(R"(
[[channel]]
name = "desk"
agency = "ward"
direction = "out"
role = "desk"
)");
  CHECK(only(result).text == "the agency `ward` has no role `desk`");
}

TEST_CASE("an inbound channel of an agency that may publish nothing is a fault") {
  const Read result = read_with("[[channel]]\nname = \"x\"\nagency = \"council\"\ndirection = \"in\"\n");
  CHECK(only(result).text.find("may publish nothing") != std::string::npos);
}

TEST_CASE("a filter that could never match is a fault") {
  const Read result = read_with(R"(
[[channel]]
name = "desk"
agency = "council"
direction = "out"
role = "desk"
filter = { home_authorities = ["Northmarch"], gp_practices = ["a"], schools = ["12"], flag_reasons = ["self harm"], tiers = [5], agencies = ["nobody"] }
)");
  INFO(all(result.faults));
  CHECK(result.faults.size() == 6);
  for (const auto& fault : result.faults) CHECK(fault.line == 23);
}

TEST_CASE("a network endpoint needs a key file and clients") {
  const Read result = read_with("[broker]\nlisten = [\"tcp://10.0.0.1:5570\"]\n");
  INFO(all(result.faults));
  CHECK(result.faults.size() == 2);
}

TEST_CASE("a client is one agency's or an operator's, with a key of its own") {
  const Folder folder;
  folder.write("policy.toml", kPolicy);
  folder.write("hub.secret", "");
  const std::string key(40, 'a');
  const Read result =
      read(folder, std::string(kHub) + "[broker]\nlisten = [\"tcp://10.0.0.1:5570\"]\n" +
                       "curve_secret_file = \"hub.secret\"\n" +
                       "[[client]]\nname = \"a\"\nagency = \"ward\"\npublic_key = \"" + key + "\"\n" +
                       "[[client]]\nname = \"b\"\npublic_key = \"" + key + "\"\n" +
                       "[[client]]\nname = \"c\"\noperator = true\nagency = \"ward\"\npublic_key = \"x\"\n");
  INFO(all(result.faults));
  CHECK(result.faults.size() == 4);
  REQUIRE(result.config.clients.size() == 3);
  CHECK(result.config.clients[0].agency == "ward");
}

TEST_CASE("a client that changes its key has two for a while, and no more") {
  const Folder folder;
  folder.write("policy.toml", kPolicy);
  folder.write("hub.secret", "");
  const auto with_keys = [&folder](const std::string& keys) {
    return read(folder,
                std::string(kHub) + "[broker]\nlisten = [\"tcp://10.0.0.1:5570\"]\n" +
                    "curve_secret_file = \"hub.secret\"\n[[client]]\nname = \"a\"\nagency = \"ward\"\n" +
                    keys);
  };
  const auto key = [](char character) { return '"' + std::string(40, character) + '"'; };
  const Read two = with_keys("public_key = [" + key('a') + ", " + key('b') + "]\n");
  CHECK(two.faults.empty());
  REQUIRE(two.config.clients.size() == 2);
  for (const auto& client : two.config.clients) {
    CHECK(client.client == "a");
    CHECK(client.agency == "ward");
  }
  CHECK(two.config.clients[1].public_key == std::string(40, 'b'));
  const Read three = with_keys("public_key = [" + key('a') + ", " + key('b') + ", " + key('c') + "]\n");
  CHECK(only(three).text.find("more than two") != std::string::npos);
  const Read none = with_keys("public_key = []\n");
  REQUIRE_FALSE(none.faults.empty());
  CHECK(none.faults.front().text.find("no key") != std::string::npos);
  CHECK(
      only(with_keys("public_key = [" + key('a') + ", " + key('a') + "]\n")).text.find("another client's") !=
      std::string::npos);
  CHECK_FALSE(with_keys("").faults.empty());
}

TEST_CASE("a socket path that the system cannot hold is a fault") {
  const Read result = read_with("[broker]\nlisten = [\"ipc:///" + std::string(120, 'x') + "\"]\n");
  CHECK(only(result).text.find("107") != std::string::npos);
}

TEST_CASE("the master key comes from a file, a credential or a command, and copies of the vault are named") {
  const Folder folder;
  folder.write("policy.toml", kPolicy);
  const auto with = [&](const std::string& keys) {
    std::string text = kHub;
    text.insert(text.find("policy ="), keys + "\n");
    return read(folder, text);
  };
  using Kind = storage::MasterKeySource::Kind;
  CHECK(with("").config.master_key.kind == Kind::file);
  CHECK(with("").config.master_key.file.empty());
  const auto file = with("master_key_file = \"../keys/hub.key\"\nvault_copies = \"copies\"");
  CHECK(file.faults.empty());
  CHECK(file.config.master_key.file.filename() == "hub.key");
  CHECK(file.config.master_key.file.is_absolute());
  REQUIRE(file.config.vault_copies.size() == 1);
  CHECK(file.config.vault_copies.front().is_absolute());
  const auto credential = with("master_key_credential = \"carehub-master\"");
  CHECK(credential.faults.empty());
  CHECK(credential.config.master_key.credential == "carehub-master");
  const auto command =
      with("master_key_command = [\"/usr/bin/keeper\", \"read\"]\nvault_copies = [\"a\", \"b\"]");
  CHECK(command.faults.empty());
  CHECK(command.config.master_key.command == std::vector<std::string>{"/usr/bin/keeper", "read"});
  CHECK(command.config.vault_copies.size() == 2);

  const auto faulty = [&](const std::string& keys, const std::string& told) {
    const auto faults = with(keys).faults;
    INFO(keys);
    REQUIRE(faults.size() == 1);
    CHECK(to_string(faults.front()).find(told) != std::string::npos);
  };
  faulty("master_key_credential = \"../x\"", "LoadCredential");
  faulty("master_key_command = [\"keeper\"]", "absolute path");
  faulty("master_key_command = []", "absolute path");
  faulty("master_key_file = \"a\"\nmaster_key_credential = \"b\"", "more than one source");
}

TEST_CASE("a policy may be a folder, whose files are one policy with faults of their own") {
  const Folder folder;
  std::filesystem::create_directory(folder.write("policy.toml", "").parent_path() / "policy");
  folder.write("policy/desk.toml", kPolicy);
  folder.write("policy/agreements.toml", R"([[agreement]]
name = "Ward and desk"
parties = ["ward", "counsil"]
signatories = ["A Guardian"]
signed = 2026-03-20
from = 2026-04-01
until = 2027-03-31
purposes = ["care"]
)");
  std::string hub = kHub;
  hub.replace(hub.find("policy.toml"), 11, "policy");
  const auto result = read(folder, hub);
  const auto& fault = only(result);
  CHECK(fault.file.ends_with("policy/agreements.toml"));
  CHECK(fault.line == 3);
  CHECK(fault.remedy == "Did you mean `council`?");
  CHECK(result.config.policy.rules().size() == 1);
  CHECK(result.config.policy.agreements().size() == 1);
}
