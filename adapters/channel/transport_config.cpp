#include "adapters/channel/transport_config.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <fstream>
#include <system_error>

#include "broker/base/config_files.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::adapters {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSecretBytesMin = 16;
constexpr std::size_t kSecretBytesMax = 4096;
constexpr std::size_t kTokensMax = 16;      // of one channel
constexpr std::size_t kNetworksMax = 64;    // of one token
constexpr std::size_t kDayText = 10;        // 2027-01-31
constexpr std::size_t kSigningKeysMax = 4;  // of one webhook

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

bool is_ip(const std::string& address) {
  in6_addr parsed{};
  return ::inet_pton(AF_INET, address.c_str(), &parsed) == 1 ||
         ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

std::string_view one_line(const SecretText& secret) {
  auto text = secret.view();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  return text;
}

/// The last day of a secret; empty where it has none.
std::string read_until(ConfigTable& table) {
  std::string until = table.optional_scalar("until").value_or("");
  if (table.has("until") && (until.size() != kDayText || !parse_date(until)))
    table.fault("until", "this is not a day", "Write until = 2027-01-31, the last day on which it is good");
  return until;
}

Networks read_from(ConfigTable& token) {
  const auto texts = token.texts("from");
  auto networks = Networks::make(texts);
  if (!networks) {
    token.fault("from", networks.error().text, "Write from = [\"10.1.0.0/16\"], where its agency posts from");
  } else if (token.has("from") && (texts.empty() || texts.size() > kNetworksMax)) {
    token.fault("from", "no address is named, or more than 64",
                "Name where its agency posts from, or remove from: then the token is good anywhere");
  }
  return networks ? std::move(*networks) : Networks();
}

}  // namespace

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

fs::path TransportReader::beside(const std::string& path) const { return (home_ / path).lexically_normal(); }

std::optional<TransportConfig> TransportReader::read(ConfigTable& channel, const std::string& name,
                                                     Direction direction) {
  auto table = channel.table("transport");
  if (!table) {
    channel.fault("transport", "the channel has no transport",
                  direction == Direction::in
                      ? "Add transport = { kind = \"mllp\", address = \"127.0.0.1\", port = 2575 }"
                      : "Add transport = { kind = \"webhook\", url = \"https://...\" }");
    return std::nullopt;
  }
  const std::string kind = table->text("kind");
  if (direction == Direction::in && kind == "mllp") return read_mllp(*table, name);
  if (direction == Direction::in && kind == "http") return read_http(*table, name);
  if (direction == Direction::in && kind == "folder") return read_folder_in(*table, name);
  if (direction == Direction::out && kind == "folder") return read_folder_out(*table, name);
  if (direction == Direction::out && kind == "webhook") return read_webhook(*table, name);
  for (const std::string& key : table->keys()) table->known(key);
  if (kind.empty()) return std::nullopt;  // its absence is a fault already
  const std::vector<std::string> kinds = direction == Direction::in
                                             ? std::vector<std::string>{"mllp", "http", "folder"}
                                             : std::vector<std::string>{"webhook", "folder"};
  std::string list;
  for (const std::string& known : kinds)
    list += (list.empty() ? "" : known == kinds.back() ? " or " : ", ") + known;
  const std::string nearest = nearest_word(kind, kinds);
  table->fault("kind",
               "there is no transport " + ticked(kind) + " for direction " +
                   (direction == Direction::in ? "in" : "out"),
               nearest.empty() ? "Write " + list : "Did you mean " + ticked(nearest) + "? There are " + list);
  return std::nullopt;
}

std::string TransportReader::read_address(ConfigTable& table) {
  const std::string address = table.optional_text("address").value_or("127.0.0.1");
  if (!is_ip(address)) {
    table.fault("address", ticked(address) + " is not an IP address",
                "Give an address of this machine, or 0.0.0.0 for all of them");
  }
  return address;
}

std::uint16_t TransportReader::read_port(ConfigTable& table) {
  const auto port = table.optional_integer("port", 1, 65535);
  if (!port) {
    if (!table.has("port"))
      table.fault("port", "the port is missing", "Add port = 2575, or another that is free");
    return 0;
  }
  // 0.0.0.0 takes the port on every address, so the number alone is compared.
  const auto [other, free] = ports_.try_emplace(std::to_string(*port), table.place("port"));
  if (!free) {
    table.fault("port", "port " + std::to_string(*port) + " is taken by the channel at " + other->second,
                "Give each channel a port of its own");
  }
  return static_cast<std::uint16_t>(*port);
}

std::optional<TransportConfig> TransportReader::read_mllp(ConfigTable& table, const std::string& name) {
  MllpListenerOptions options;
  options.channel = name;
  options.address = read_address(table);
  options.port = read_port(table);
  options.connections_max = static_cast<std::size_t>(
      table.integer("connections_max", limits::kMllpConnectionsMax, 1, limits::kMllpConnectionsMax));
  options.tls = read_tls(table);
  return options;
}

std::optional<TransportConfig> TransportReader::read_http(ConfigTable& table, const std::string& name) {
  HttpListenerOptions options;
  options.channel = name;
  options.address = read_address(table);
  options.port = read_port(table);
  options.path = table.optional_text("path").value_or("/");
  if (!options.path.starts_with("/") || options.path.find_first_of("?# ") != std::string::npos ||
      options.path == "/healthz") {
    table.fault("path", "the path does not begin with a slash, holds ? or #, or is /healthz",
                "Write path = \"/events\"");
  }
  read_tokens(table, options.tokens);
  if (!table.has("token_file") && !table.has("tokens") && !is_loopback(options.address)) {
    table.fault("token_file", "anybody who reaches this address could post",
                "Add token_file with a secret of 16 characters or more, or listen on 127.0.0.1");
  }
  options.connections_max = static_cast<std::size_t>(
      table.integer("connections_max", limits::kHttpConnectionsMax, 1, limits::kHttpConnectionsMax));
  options.timeout_ms =
      static_cast<std::uint32_t>(table.integer("timeout_ms", limits::kHttpTimeoutMs, 100, 600'000));
  options.tls = read_tls(table);
  return options;
}

void TransportReader::read_tokens(ConfigTable& table, std::vector<HttpToken>& tokens) {
  const auto add = [&tokens](ConfigTable& at, const char* key, const SecretText& secret,
                             std::string until = {}, Networks from = {}) {
    if (secret.view().empty()) return;  // a fault already
    auto token = http_token(one_line(secret), std::move(until), std::move(from));
    if (token) {
      tokens.push_back(std::move(*token));
    } else {
      at.fault(key, token.error().text, "Write a hash: printf %s TOKEN | sha256sum");
    }
  };
  add(table, "token_file", read_secret(table, "token_file"));
  auto listed = table.tables("tokens");
  if (table.has("tokens") && (listed.empty() || listed.size() > kTokensMax))
    table.fault("tokens", "there are no tokens, or more than 16", "Write tokens = [{ file = \"a.token\" }]");
  for (ConfigTable& each : listed) {
    std::string until = read_until(each);
    Networks from = read_from(each);
    if (each.text("file").empty()) continue;  // a fault already
    add(each, "file", read_secret(each, "file"), std::move(until), std::move(from));
  }
}

std::optional<TlsOptions> TransportReader::read_tls(ConfigTable& listener) const {
  auto table = listener.table("tls");
  if (!table) return std::nullopt;
  TlsOptions options;
  const auto read_file = [&](const char* key, const std::string& name) {
    const fs::path file = beside(name);
    const bool there =
        check_file(*table, key, file, {"there is no file " + file.string(), "Give a PEM file"});
    return there ? file : fs::path();
  };
  const std::string certificate = table->text("certificate_file");
  const std::string key = table->text("key_file");
  const auto authority = table->optional_text("client_ca_file");
  options.client_names = table->texts("client_names");
  bool there = !certificate.empty() && !key.empty();
  if (!certificate.empty())
    there &= !(options.certificate_file = read_file("certificate_file", certificate)).empty();
  if (!key.empty()) there &= !(options.key_file = read_file("key_file", key)).empty();
  if (authority) there &= !(options.client_ca_file = read_file("client_ca_file", *authority)).empty();
  if (!authority && table->has("client_names")) {
    table->fault("client_names", "nobody vouches for the clients' names",
                 "Add client_ca_file, the authorities whose certificates the clients show");
  } else if (table->has("client_names") && options.client_names.empty()) {
    table->fault("client_names", "no client is named, so none could connect",
                 "Name those that may, or remove client_names: then all of that authority may");
  }
  if (!there) return options;
  if (const auto identity = TlsIdentity::load(options); !identity) {
    const TlsFault& fault = identity.error();
    table->fault(fault.key, fault.text, fault.remedy);
  }
  return options;
}

fs::path TransportReader::read_directory(ConfigTable& table, std::string_view key, Direction direction) {
  const std::string text = table.text(key);
  if (text.empty()) return {};  // a fault already
  std::error_code error;
  fs::path named = fs::absolute(beside(text), error);
  fs::path directory = fs::weakly_canonical(named, error).lexically_normal();
  if (error) {
    table.fault(key, "the folder " + named.string() + " cannot be looked at: " + error.message(),
                "Check the path and its links, and let this user search the folders above it");
    return named;
  }
  const auto [other, free] = directories_.try_emplace(directory, Folder{table.place(key), direction});
  // Two writers may share a folder; a reader shares with nobody, or it would take what is not for it.
  if (!free && (direction == Direction::in || other->second.direction == Direction::in)) {
    table.fault(key, "the folder is used by the channel at " + other->second.place,
                "Give each channel a folder of its own");
  }
  return directory;
}

fs::path TransportReader::read_shadow(ConfigTable& channel) {
  channel.known("shadow");
  if (!channel.has("shadow")) return {};
  const fs::path directory = read_directory(channel, "shadow", Direction::out);
  if (!directory.empty()) {
    check_writable_folder(channel, "shadow", directory,
                          {"there is no folder " + directory.string() + " for what the shadow writes",
                           "Make it: mkdir -m 700 " + directory.string()});
  }
  return directory;
}

std::optional<TransportConfig> TransportReader::read_folder_in(ConfigTable& table, const std::string& name) {
  FolderReaderOptions options;
  options.channel = name;
  options.directory = read_directory(table, "directory", Direction::in);
  options.pattern = table.optional_text("pattern").value_or("*");
  if (options.pattern.empty() || options.pattern.find('/') != std::string::npos) {
    table.fault("pattern", "the pattern is empty or holds a slash", "Write pattern = \"*.csv\"");
  }
  const std::string complete = table.optional_text("complete").value_or("stable");
  options.done_file = complete == "done_file";
  if (complete != "stable" && complete != "done_file") {
    table.fault("complete", ticked(complete) + " does not say when a file is complete",
                "Write \"stable\" (it has stopped growing) or \"done_file\" (NAME.done stands beside it)");
  }
  options.create = table.boolean("create", false);
  options.poll_ms = static_cast<std::uint32_t>(table.integer("poll_ms", 1'000, 10, 3'600'000));
  options.quiet_ms = static_cast<std::uint32_t>(table.integer("quiet_ms", 5'000, 0, 3'600'000));
  return options;
}

std::optional<TransportConfig> TransportReader::read_folder_out(ConfigTable& table, const std::string& name) {
  FolderWriterOptions options;
  options.channel = name;
  options.directory = read_directory(table, "directory", Direction::out);
  options.name = table.text("name");
  if (!options.name.empty()) {
    if (const auto checked = check_name_pattern(options.name); !checked) {
      table.fault("name", checked.error().text, "Write name = \"carehub-{date}-{sequence}.csv\"");
    }
  }
  options.create = table.boolean("create", false);
  return options;
}

std::optional<TransportConfig> TransportReader::read_webhook(ConfigTable& table, const std::string& name) {
  WebhookSenderOptions options;
  options.channel = name;
  options.url = table.text("url");
  if (!options.url.empty()) {
    if (const auto checked = check_webhook_url(options.url); !checked) {
      table.fault("url", checked.error().text, "Write url = \"https://partner.example/events\"");
    }
  }
  options.allow_addresses = table.texts("allow_addresses");
  const auto rules = AddressRules::make(options.allow_addresses);
  if (!rules) {
    table.fault("allow_addresses", rules.error().text,
                "Write allow_addresses = [\"10.20.0.5\", \"fd00:12::/32\"]");
  } else if (check_webhook_url(options.url)) {
    if (const auto checked = check_webhook_host(options.url, *rules); !checked) {
      table.fault("url", checked.error().text,
                  "Give the partner's address; if this one is meant, name it in allow_addresses");
    }
  }
  options.token = one_line(read_secret(table, "token_file"));
  read_signing_keys(table, options.signing_keys);
  if (const auto file = table.optional_text("ca_file")) {
    options.ca_file = beside(*file);
    check_file(table, "ca_file", options.ca_file,
               {"there is no file " + options.ca_file.string(), "Give a PEM file of certificates"});
  }
  options.connections_max = static_cast<std::size_t>(table.integer("connections", 8, 1, 256));
  options.timeout_ms =
      static_cast<std::uint32_t>(table.integer("timeout_ms", limits::kHttpTimeoutMs, 100, 600'000));
  return options;
}

void TransportReader::read_signing_keys(ConfigTable& table, std::vector<SigningKey>& keys) {
  const auto add = [&](ConfigTable& at, const char* name, std::string until) {
    const auto secret = read_secret(at, name);
    if (auto key = signing_key_from(one_line(secret))) {
      keys.push_back({std::move(*key), std::move(until)});
    } else if (!secret.view().empty()) {
      at.fault(name, key.error().text, "Make one: echo whsec_$(openssl rand -base64 32)");
    }
  };
  if (table.has("secret_file")) add(table, "secret_file", {});
  if (!table.has("secrets")) return;
  auto listed = table.tables("secrets");
  if (listed.empty() || listed.size() > kSigningKeysMax) {
    table.fault("secrets", "there are no secrets, or more than 4",
                "Write secrets = [{ file = \"new.secret\" }]");
    return;
  }
  bool lasting = table.has("secret_file");
  for (ConfigTable& each : listed) {
    std::string until = read_until(each);
    lasting |= until.empty();
    if (!each.text("file").empty()) add(each, "file", std::move(until));
  }
  if (!lasting) {
    table.fault("secrets", "every secret has a last day, after which nothing would be signed",
                "Add the secret that comes after them, without until");
  }
}

SecretText TransportReader::read_secret(ConfigTable& table, std::string_view key) {
  const auto name = table.optional_text(key);
  if (!name) return {};
  if (name->empty()) {
    table.fault(key, "the file of the secret has no name", "Write the name of a file, or remove the line");
    return {};
  }
  const fs::path file = beside(*name);
  auto secret = read_secret_file(file, kSecretBytesMax);
  if ((!secret && secret.error().kind != ErrorKind::invalid) || (secret && secret->view().empty())) {
    table.fault(key, "the file " + file.string() + " is missing, empty or not readable",
                "Write a secret into it: (umask 077; openssl rand -hex 32 > " + file.string() + ")");
    return {};
  }
  if (is_open_to_others(file)) {
    table.fault(key, "others may read or change the secret in " + file.string(),
                "chmod 600 " + file.string() + ", and think about a new secret");
    return {};
  }
  const auto text = secret ? one_line(*secret) : std::string_view();
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  if (!printable || text.size() < kSecretBytesMin) {
    table.fault(key, "the secret in " + file.string() + " is not one line of 16 to 4096 printable characters",
                "Write a new one: (umask 077; openssl rand -hex 32 > " + file.string() + ")");
    return {};
  }
  return *std::move(secret);
}

}  // namespace carehub::adapters
