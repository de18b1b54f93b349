#include "adapters/channel/channel_config.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"

namespace carehub::adapters {
namespace {

using fakes::TemporaryFolder;

/// A county's folder with two packs, in which a test writes its hub.toml.
struct County {
  County() {
    folder.write(
        "packs/in.toml",
        "[pack]\nname = \"in\"\nversion = \"1\"\nformat = \"json\"\ndirection = \"in\"\nnative = true\n");
    folder.write_secret("council.token", "0123456789abcdef0123456789abcdef\n");
    folder.write_secret("webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
  }
  /// Reads [hub] and these channels; faults and channels are kept.
  void read(const std::string& channels) {
    folder.write("hub.toml", "[hub]\npacks = \"packs\"\n" + channels);
    auto document = ConfigDocument::load(folder.path() / "hub.toml");
    read_ones = read_channels(document);
    faults = document.faults();
  }
  bool has_fault(const std::string& text) const {
    return std::any_of(faults.begin(), faults.end(), [&](const ConfigFault& fault) {
      return to_string(fault).find(text) != std::string::npos && fault.line > 0 && !fault.remedy.empty();
    });
  }
  std::string all_faults() const {
    std::string all;
    for (const ConfigFault& fault : faults) all += to_string(fault) + "\n";
    return all;
  }

  TemporaryFolder folder;
  std::vector<ChannelConfig> read_ones;
  std::vector<ConfigFault> faults;
};

std::string in(const std::string& transport, const std::string& name = "elwick-adt") {
  return "[[channel]]\nname = \"" + name +
         "\"\nagency = \"elwick-hospital\"\ndirection = \"in\"\npack = \"in.toml\"\ntransport = { " +
         transport + " }\n";
}

std::string out(const std::string& transport, const std::string& name = "council-duty-desk") {
  return "[[channel]]\nname = \"" + name +
         "\"\nagency = \"northmarch-council\"\ndirection = \"out\"\nrole = \"social-care-duty\"\ntransport = "
         "{ " +
         transport + " }\n";
}

TEST_CASE("each kind of channel is read with its transport") {
  County county;
  county.read(
      in("kind = \"mllp\", port = 2575, connections_max = 10") +
      in("kind = \"http\", address = \"0.0.0.0\", port = 8081, path = \"/events\", token_file = "
         "\"council.token\"",
         "api") +
      in("kind = \"folder\", directory = \"in\", pattern = \"*.csv\", complete = \"done_file\"", "files") +
      out("kind = \"webhook\", url = \"https://desk.example/x\", secret_file = \"webhook.secret\", "
          "connections = 3") +
      out("kind = \"folder\", directory = \"out\", name = \"{date}-{sequence}.csv\"", "notices"));
  INFO(county.all_faults());
  REQUIRE(county.faults.empty());
  REQUIRE(county.read_ones.size() == 5);
  const auto& mllp = std::get<MllpListenerOptions>(county.read_ones[0].transport);
  CHECK(mllp.channel == "elwick-adt");
  CHECK(mllp.address == "127.0.0.1");
  CHECK(mllp.port == 2575);
  CHECK(mllp.connections_max == 10);
  CHECK(county.read_ones[0].pack != nullptr);
  const auto& http = std::get<HttpListenerOptions>(county.read_ones[1].transport);
  CHECK(http.path == "/events");
  CHECK(judge(http.tokens, "0123456789abcdef0123456789abcdef", "192.0.2.7", SystemClock().now()) ==
        TokenVerdict::good);
  const auto& reader = std::get<FolderReaderOptions>(county.read_ones[2].transport);
  CHECK(reader.directory == std::filesystem::weakly_canonical(county.folder.path() / "in"));
  CHECK(reader.done_file);
  const auto& webhook = std::get<WebhookSenderOptions>(county.read_ones[3].transport);
  REQUIRE(webhook.signing_keys.size() == 1);
  CHECK(webhook.signing_keys[0].key.size() == 24);
  CHECK(webhook.connections_max == 3);
  CHECK(county.read_ones[3].role == "social-care-duty");
  CHECK(county.read_ones[3].pack == nullptr);
  CHECK(std::get<FolderWriterOptions>(county.read_ones[4].transport).name == "{date}-{sequence}.csv");
}

TEST_CASE("a webhook has several secrets while a partner changes them, one with a last day") {
  County county;
  county.read(out(
      "kind = \"webhook\", url = \"https://desk.example/x\", secrets = [{ file = \"webhook.secret\", until = "
      "2027-01-31 }, { file = \"webhook.secret\" }]"));
  INFO(county.all_faults());
  REQUIRE(county.faults.empty());
  const auto& keys = std::get<WebhookSenderOptions>(county.read_ones.at(0).transport).signing_keys;
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].until == "2027-01-31");
  CHECK(keys[1].until.empty());
}

TEST_CASE("a channel is described in one line") {
  County county;
  county.read(in("kind = \"mllp\", port = 2575") + "unmappable = \"keep\"\n" +
              out("kind = \"webhook\", url = \"http://127.0.0.1:8091/duty-desk\", allow_addresses = "
                  "[\"127.0.0.1\"]"));
  REQUIRE(county.read_ones.size() == 2);
  CHECK(
      describe(county.read_ones[0]) ==
      "elwick-adt: in from elwick-hospital, mllp on 127.0.0.1:2575, pack in.toml, keeps what it cannot map");
  CHECK(describe(county.read_ones[1]) ==
        "council-duty-desk: out to northmarch-council as social-care-duty, webhook to "
        "http://127.0.0.1:8091/duty-desk");
}

TEST_CASE("every fault of a channel is named with its line and a remedy") {
  struct Case {
    std::string channels;
    std::string fault;
  };
  const std::vector<Case> cases{
      {in("kind = \"mlp\", port = 1"), "Did you mean `mllp`?"},
      {in("kind = \"webhook\", url = \"http://x/\""), "there is no transport `webhook` for direction in"},
      {in("port = 1"), "kind"},
      {in("kind = \"mllp\""), "the port is missing"},
      {in("kind = \"mllp\", port = 70000"), "port"},
      {in("kind = \"mllp\", port = 2575, address = \"localhost\""), "is not an IP address"},
      {in("kind = \"mllp\", port = 2575") + in("kind = \"http\", port = 2575", "b"),
       "port 2575 is taken by the channel at"},
      {in("kind = \"http\", port = 1, address = \"0.0.0.0\""), "anybody who reaches this address could post"},
      {in("kind = \"http\", port = 1, token_file = \"none.token\""),
       "none.token is missing, empty or not readable"},
      {in("kind = \"http\", port = 1, path = \"events\""), "the path does not begin with a slash"},
      {in("kind = \"folder\", directory = \"a\"") +
           out("kind = \"folder\", directory = \"b/../a\", name = \"{id}\"") +
           in("kind = \"folder\", directory = \"./a\"", "b"),
       "the folder is used by the channel at"},
      {in("kind = \"folder\", directory = \"a\", complete = \"soon\""),
       "does not say when a file is complete"},
      {in("kind = \"folder\", directory = \"a\", pattern = \"../*\""),
       "the pattern is empty or holds a slash"},
      {out("kind = \"folder\", directory = \"a\", name = \"all.csv\""), "the name needs {sequence} or {id}"},
      {out("kind = \"webhook\""), "url"},
      {out("kind = \"webhook\", url = \"desk.example\""), "not the URL of a webhook"},
      {out("kind = \"webhook\", url = \"http://x/\", secret_file = \"council.token\""),
       "not a webhook secret"},
      {out("kind = \"webhook\", url = \"https://x/\", secrets = []"), "there are no secrets, or more than 4"},
      {out("kind = \"webhook\", url = \"https://x/\", secrets = [{ file = \"council.token\" }]"),
       "not a webhook secret"},
      {out("kind = \"webhook\", url = \"https://x/\", secrets = [{ file = \"webhook.secret\", until = "
           "\"soon\" }]"),
       "this is not a day"},
      {out("kind = \"webhook\", url = \"https://x/\", secrets = [{ file = \"webhook.secret\", until = "
           "2027-01-31 }]"),
       "every secret has a last day"},
      {out("kind = \"webhook\", url = \"https://x/\", secrets = [{ fil = \"webhook.secret\" }]"), "file"},
      {out("kind = \"webhook\", url = \"https://x/\", ca_file = \"none.pem\""), "there is no file"},
      {out("kind = \"webhook\", url = \"http://x/\"") + "credit = 0\n", "credit"},
      {out("kind = \"webhook\", url = \"http://x/\"") + "pack = \"in.toml\"\n",
       "the pack is for direction in"},
      {out("kind = \"webhook\", url = \"http://x/\"") + "overrides = \"x.toml\"\n",
       "there is no pack to change"},
      {in("kind = \"mllp\", port = 1") + "overrides = \"x.toml\"\n", "there is no file"},
      {in("kind = \"mllp\", port = 1") + "unmappable = \"drop\"\n", "`drop` does not say what becomes"},
      {"[[channel]]\nname = \"a\"\nagency = \"b\"\ndirection = \"in\"\npack = \"none.toml\"\n",
       "there is no mapping pack"},
      {"[[channel]]\nname = \"a\"\nagency = \"b\"\ndirection = \"in\"\npack = \"in.toml\"\n",
       "the channel has no transport"},
      {"[[channel]]\nname = \"a\"\nagency = \"b\"\ndirection = \"in\"\ntransport = { kind = \"mllp\", port = "
       "1 }\n",
       "the channel has no mapping pack"},
  };
  for (const Case& example : cases) {
    County county;
    county.read(example.channels);
    INFO(example.channels << "\nfaults:\n" << county.all_faults());
    CHECK(county.has_fault(example.fault));
  }
}

TEST_CASE("all faults of a file come at once, and no secret is in their texts") {
  County county;
  county.folder.write_secret("bad.token", "short secret");
  county.read(in("kind = \"mllp\"") + in("kind = \"http\", port = 8081, token_file = \"bad.token\"", "b") +
              out("kind = \"webhook\", url = \"nowhere\""));
  CHECK(county.faults.size() == 3);
  CHECK(county.all_faults().find("short secret") == std::string::npos);
}

TEST_CASE("a key that nobody knows is found, and the broker's keys are left to the broker") {
  County county;
  county.folder.write("hub.toml", "[hub]\npacks = \"packs\"\n" +
                                      in("kind = \"mllp\", prot = 1, port = 2575") +
                                      "scope = { age_max = 18 }\n");
  auto document = ConfigDocument::load(county.folder.path() / "hub.toml");
  (void)read_channels(document);
  document.report_unused();
  REQUIRE(document.faults().size() == 1);
  CHECK(to_string(document.faults()[0]).find("prot") != std::string::npos);
}

TEST_CASE("a shadow has all of its channel's configuration, and a directory that is there and writable") {
  County county;
  const std::string url = "kind = \"webhook\", url = \"https://desk.example/events\"";
  const std::string shadow = "shadow = \"shadow\"\n";
  std::filesystem::create_directory(county.folder.path() / "shadow");
  county.read(out(url) + out(url, "desk-shadow") + shadow + out(url, "other-shadow") + shadow);
  INFO(county.all_faults());
  REQUIRE(county.faults.empty());
  CHECK(county.read_ones.at(0).shadow.empty());
  CHECK(county.read_ones.at(1).shadow == std::filesystem::canonical(county.folder.path() / "shadow"));
  CHECK(describe(county.read_ones.at(0)).find("shadow") == std::string::npos);
  CHECK(describe(county.read_ones.at(1)).find(", a shadow: sends nothing, writes to ") != std::string::npos);
  std::filesystem::remove(county.folder.path() / "shadow");
  county.read(out(url) + shadow);
  CHECK(county.has_fault("there is no folder"));
  county.read(out(url) + "shadow = \"\"\n");
  CHECK(county.has_fault("`shadow` is empty"));
  county.read(in("kind = \"mllp\", port = 2575") + shadow);
  CHECK(county.has_fault("only an outbound channel can be a shadow"));
  std::filesystem::create_directory(county.folder.path() / "shadow");
  county.read(in("kind = \"folder\", directory = \"shadow\"") + out(url) + shadow);
  CHECK(county.has_fault("the folder is used by the channel at"));
}

TEST_CASE("paths that cannot be looked at are faults with line and remedy") {
  County county;
  std::filesystem::create_symlink("loop", county.folder.path() / "loop");
  std::filesystem::create_symlink("loop.toml", county.folder.path() / "packs/loop.toml");
  const auto with_pack = [](const std::string& pack, const std::string& more = {}) {
    return "[[channel]]\nname = \"x\"\nagency = \"a\"\ndirection = \"in\"\npack = \"" + pack +
           "\"\ntransport = { kind = \"mllp\", port = 2575 }\n" + more;
  };
  county.read(with_pack("loop.toml"));
  CHECK(county.has_fault("loop.toml cannot be looked at: "));
  county.read(with_pack("in.toml", "overrides = \"loop\"\n"));
  CHECK(county.has_fault("loop cannot be looked at: "));
  county.read(out("kind = \"webhook\", url = \"https://desk.example/\", ca_file = \"loop\""));
  CHECK(county.has_fault("loop cannot be looked at: "));
  county.read(out("kind = \"folder\", directory = \"loop/below\", name = \"{id}.json\""));
  CHECK(county.has_fault("cannot be looked at: "));
}

TEST_CASE("tiles are served where the configuration says, on a port that no channel has") {
  const std::string channel = R"([[channel]]
name = "council-api"
agency = "council"
direction = "in"
transport = { kind = "http", port = 8081, path = "/events" }
pack = "in.toml"
)";
  const auto read = [&channel](const std::string& tiles) {
    County county;
    county.folder.write("hub.toml", "[hub]\npacks = \"packs\"\n" + channel + tiles);
    auto document = ConfigDocument::load(county.folder.path() / "hub.toml");
    const auto channels = read_channels(document);
    const auto options = read_tiles(document, channels);
    std::string faults;
    for (const auto& fault : document.faults()) faults += to_string(fault) + "\n";
    return std::pair(options, faults);
  };
  CHECK_FALSE(read("").first);
  const auto [options, none] = read("[tiles]\naddress = \"0.0.0.0\"\nport = 8090\n");
  CHECK(none.empty());
  REQUIRE(options);
  CHECK(options->port == 8090);
  CHECK(options->address == "0.0.0.0");
  CHECK(read("[tiles]\nport = 8081\n").second.find("taken by the channel council-api") != std::string::npos);
  CHECK(read("[tiles]\n").second.find("the port is missing") != std::string::npos);
  CHECK(read("[tiles]\naddress = \"here\"\nport = 8090\n").second.find("not an IP address") !=
        std::string::npos);
}

}  // namespace
}  // namespace carehub::adapters
