#include "broker/server/config.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "broker/base/config_files.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/base/identifiers.hpp"
#include "broker/base/names.hpp"
#include "broker/core/policy_text.hpp"
#include "broker/server/filter_config.hpp"
#include "broker/server/policy_files.hpp"
#include "broker/storage/checkpoint.hpp"

namespace carehub::server {
namespace {

constexpr std::size_t kIpcPathBytesMax = 107;  // sockaddr_un.sun_path without its ending zero
constexpr std::size_t kCurveKeyCharacters = 40;
constexpr std::size_t kKeysOfClientMax = 2;  // the one that it has, and the next
constexpr std::size_t kCommandWordsMax = 64;
constexpr std::int64_t kRatePerMinuteMax = 6'000'000;

const std::vector<std::string>& agency_kinds() {
  static const std::vector<std::string> kinds = {
      "hospital", "mental_health_trust", "council",   "school",    "gp_practice",
      "police",   "community_provider",  "voluntary", "regulator", "commissioner"};
  return kinds;
}

std::string ticked(const std::string& text) { return "`" + text + "`"; }

bool is_organisation_code(const std::string& code) {
  return OdsCode::parse(code) || GssCode::parse(code) || Urn::parse(code) || Laestab::parse(code);
}

/// Reads one document; keeps what later tables must agree with.
class Reader {
 public:
  explicit Reader(ConfigDocument& document) : document_(document), root_(document.root()) {}

  HubConfig read() {
    read_hub();
    read_agencies();
    read_broker();
    read_clients();
    read_connect();
    read_policy();
    read_channels();
    config_.witnesses = read_witnesses(root_);
    return std::move(config_);
  }

 private:
  void read_hub() {
    auto hub = root_.table("hub");
    if (!hub) {
      root_.fault("", "there is no [hub] table",
                  "Add [hub] with name, data and policy; deploy/sample/hub.toml has one.");
      return;
    }
    config_.name = hub->text("name");
    const std::string data = hub->text("data");
    if (!data.empty()) config_.data = beside(document_, data);
    read_vault(*hub);
    read_signing(*hub);
    config_.scrub_days = static_cast<std::uint32_t>(hub->integer("scrub_days", 7, 1, 365));
    const auto packs = hub->optional_text("packs");
    config_.packs = beside(document_, packs.value_or("."));
    if (hub->has("packs"))
      check_folder(*hub, "packs", config_.packs,
                   {"the folder of mapping packs does not exist", "Give the folder that holds the packs."});
    const std::string policy = hub->text("policy");
    if (policy.empty()) return;
    config_.rules.policy_file = beside(document_, policy).string();
    policy_place_ = *hub;
  }

  void read_signing(ConfigTable& hub) {
    config_.origin = hub.optional_text("origin").value_or("");
    if (hub.has("origin") && !storage::is_origin(config_.origin)) {
      hub.fault("origin", "an origin that no checkpoint can carry",
                "Write it like a web address without https://, such as hub.northmarch.example/ledger.");
    }
    if (const auto file = hub.optional_text("signing_key_file"))
      config_.signing_key_file = beside(document_, *file);
  }

  void read_vault(ConfigTable& hub) {
    int sources = 0;
    if (const auto file = hub.optional_text("master_key_file")) {
      config_.master_key = beside(document_, *file);
      ++sources;
    }
    if (const auto name = hub.optional_text("master_key_credential")) {
      config_.master_key = storage::MasterKeySource::from_credential(*name);
      if (name->empty() || name->find('/') != std::string::npos || name->front() == '.') {
        hub.fault("master_key_credential", "a credential is named without a path",
                  "Write the name that the unit's LoadCredential= gives it.");
      }
      ++sources;
    }
    if (hub.has("master_key_command")) {
      auto words = hub.texts("master_key_command");
      if (words.empty() || words.size() > kCommandWordsMax || !words.front().starts_with('/')) {
        hub.fault("master_key_command",
                  "the command is no list of 1 to 64 words that begins with an absolute path",
                  "Write [\"/usr/bin/program\", \"argument\"]: it is started without a shell.");
      }
      config_.master_key = storage::MasterKeySource::from_command(std::move(words));
      ++sources;
    }
    if (sources > 1) {
      hub.fault("", "the master key has more than one source",
                "Keep one of master_key_file, master_key_credential and master_key_command.");
    }
    for (const auto& folder : hub.text_or_texts("vault_copies"))
      config_.vault_copies.push_back(beside(document_, folder));
  }

  void read_broker() {
    auto broker = root_.table("broker");
    if (!broker) {
      add_endpoint(root_, "broker", "ipc://hub.sock");
      return;
    }
    if (broker->has("listen")) {
      for (const auto& endpoint : broker->texts("listen")) add_endpoint(*broker, "listen", endpoint);
    } else {
      add_endpoint(*broker, "", "ipc://hub.sock");
    }
    if (const auto file = broker->optional_text("curve_secret_file")) {
      config_.curve_secret_file = beside(document_, *file);
      check_file(*broker, "curve_secret_file", config_.curve_secret_file,
                 {"the broker's secret key file does not exist",
                  "Make one with `carehub keys`, which writes a .secret and a .public file."});
    }
    const bool tcp = std::any_of(config_.listen.begin(), config_.listen.end(),
                                 [](const std::string& endpoint) { return endpoint.starts_with("tcp://"); });
    if (tcp && config_.curve_secret_file.empty()) {
      broker->fault("listen", "a tcp:// endpoint without curve_secret_file",
                    "Add curve_secret_file: nothing crosses a network unencrypted.");
    }
    listens_on_tcp_ = tcp;
  }

  void add_endpoint(ConfigTable& table, std::string_view key, const std::string& endpoint) {
    std::string whole = endpoint;
    if (endpoint.starts_with("ipc://")) {
      const std::string name = endpoint.substr(6);
      if (name.empty()) {
        table.fault(key, "an ipc:// endpoint without a name", "Write ipc://hub.sock, or a whole path.");
        return;
      }
      const std::filesystem::path path =
          name.find('/') == std::string::npos ? config_.data / name : beside(document_, name);
      whole = "ipc://" + path.string();
      if (path.string().size() > kIpcPathBytesMax) {
        table.fault(key, "the socket's path is longer than 107 bytes, which the system does not allow",
                    "Give a shorter one, such as ipc:///run/carehub/hub.sock, or a shorter data directory.");
      }
    } else if (endpoint.starts_with("tcp://")) {
      check_tcp(table, key, endpoint);
    } else {
      table.fault(key, "an endpoint that is neither ipc:// nor tcp://",
                  "Write ipc://hub.sock or tcp://ADDRESS:PORT.");
      return;
    }
    if (std::find(config_.listen.begin(), config_.listen.end(), whole) != config_.listen.end()) {
      table.fault(key, "the endpoint " + ticked(endpoint) + " is listed twice", "Remove one.");
      return;
    }
    config_.listen.push_back(whole);
  }

  static void check_tcp(ConfigTable& table, std::string_view key, const std::string& endpoint) {
    const auto colon = endpoint.rfind(':');
    const std::string port = endpoint.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (colon <= 6 || !digits || std::stoi(port) < 1 || std::stoi(port) > 65535) {
      table.fault(key, "a tcp:// endpoint that has no address and port", "Write tcp://10.0.0.1:5570.");
    }
  }

  void read_agencies() {
    auto tables = root_.tables("agency");
    if (tables.empty())
      root_.fault("", "no [[agency]] is configured", "Add one [[agency]] for each organisation.");
    for (auto& table : tables) read_agency(table);
  }

  void read_agency(ConfigTable& table) {
    core::Agency agency;
    agency.id = unique_name(table, "id", "agency", agency_places_);
    agency.name = table.optional_text("name").value_or(agency.id);
    agency.kind = table.text("kind");
    const auto& kinds = agency_kinds();
    if (!agency.kind.empty() && std::find(kinds.begin(), kinds.end(), agency.kind) == kinds.end()) {
      table.fault("kind", "unknown kind of agency " + ticked(agency.kind), suggest(agency.kind, kinds));
    }
    agency.codes = table.texts("codes");
    for (const auto& code : agency.codes) {
      if (is_organisation_code(code)) continue;
      table.fault("codes", ticked(code) + " is not an ODS, GSS, URN or LAESTAB code",
                  "Use the code that the agency has in messages: RZX01, E10000099, 900101, 9994001.");
    }
    agency.may_publish = types_of(table, "may_publish");
    agency.roles = table.texts("roles");
    role_places_.emplace_back(table, agency.roles);
    if (!agency.id.empty()) agency_ids_.push_back(agency.id);
    config_.rules.agencies.push_back(std::move(agency));
  }

  std::vector<event::EventType> types_of(ConfigTable& table, std::string_view key) {
    std::vector<event::EventType> types;
    for (const auto& word : table.texts(key)) {
      const event::EventType type = event_type_from(word);
      if (type == event::EventType::unknown) {
        table.fault(key, "unknown event type " + ticked(word), suggest(word, event_type_names()));
      } else {
        types.push_back(type);
      }
    }
    return types;
  }

  std::string unique_name(ConfigTable& table, std::string_view key, const char* what,
                          std::map<std::string, std::string>& places) {
    std::string name = table.text(key);
    if (name.empty()) return name;
    if (!is_plain_name(name)) {
      table.fault(
          key,
          std::string("the ") + what + "'s " + std::string(key) + " has characters that a name may not have",
          "Use letters, digits, - and _, at most 128.");
    }
    const auto [first, added] = places.emplace(name, table.place(key));
    if (!added) {
      table.fault(
          key,
          std::string("the ") + what + " " + ticked(name) + " is configured twice, first at " + first->second,
          "Rename or remove one.");
    }
    return name;
  }

  const core::Agency* agency(const std::string& id) const {
    for (const auto& each : config_.rules.agencies) {
      if (each.id == id) return &each;
    }
    return nullptr;
  }

  void check_agency(ConfigTable& table, std::string_view key, const std::string& id) {
    if (id.empty() || agency(id) != nullptr) return;
    table.fault(key, "no [[agency]] has the id " + ticked(id), suggest(id, agency_ids_));
  }

  void read_clients() {
    for (auto& table : root_.tables("client")) {
      AllowedKey client;
      client.client = unique_name(table, "name", "client", client_places_);
      const bool is_operator = table.boolean("operator", false);
      client.agency = table.optional_text("agency").value_or("");
      if (is_operator && !client.agency.empty()) {
        table.fault("operator", "a client is either an operator's or an agency's",
                    "Remove `operator` or `agency`.");
      } else if (!is_operator && client.agency.empty()) {
        table.fault("", "the client names no agency", "Add agency = \"...\", or operator = true.");
      }
      check_agency(table, "agency", client.agency);
      const auto keys = table.text_or_texts("public_key");
      if (keys.empty() || keys.size() > kKeysOfClientMax) {
        table.fault("public_key", "the client has no key, or more than two",
                    "Give the one that it has, or that one and the next: public_key = [\"...\", \"...\"].");
      }
      for (const auto& key : keys) {
        check_key(table, key);
        client.public_key = key;
        config_.clients.push_back(client);
      }
    }
    if (listens_on_tcp_ && config_.clients.empty()) {
      root_.fault("broker", "the broker listens on tcp:// but no [[client]] may connect",
                  "Add a [[client]] with the public key of each.");
    }
  }

  void check_key(ConfigTable& table, const std::string& key) {
    if (key.size() != kCurveKeyCharacters) {
      table.fault("public_key", "the key has not 40 characters",
                  "Paste the line of the .public file that `carehub keys` wrote.");
    }
    const auto [first, added] = key_places_.emplace(key, table.place("public_key"));
    if (!added) {
      table.fault("public_key", "the key is another client's, at " + first->second,
                  "Make a key pair for each client with `carehub keys`.");
    }
  }

  void read_connect() {
    auto table = root_.table("connect");
    if (!table) return;
    ConnectRules rules;
    rules.endpoint = table->text("endpoint");
    if (!rules.endpoint.empty() && !rules.endpoint.starts_with("tcp://")) {
      table->fault("endpoint", "[connect] is for a hub on another machine", "Write tcp://ADDRESS:PORT.");
    } else if (!rules.endpoint.empty()) {
      check_tcp(*table, "endpoint", rules.endpoint);
    }
    rules.server_key_file = beside(document_, table->text("server_public_file"));
    rules.secret_key_file = beside(document_, table->text("secret_file"));
    config_.connect = std::move(rules);
  }

  void read_policy() {
    if (config_.rules.policy_file.empty()) return;
    auto text = read_policy_text(config_.rules.policy_file);
    if (!text) {
      policy_place_->fault("policy", text.error().text, "The path is relative to this file.");
      return;
    }
    config_.rules.policy_text = std::move(*text);
    std::vector<ConfigFault> faults;
    config_.policy = core::Policy::parse(config_.rules.policy_text, config_.rules.policy_file, 1, faults);
    // What a faulty file does not name is no fault of its own.
    if (faults.empty() || !config_.policy.rules().empty()) check_roles();
    auto& all = document_.faults();
    all.insert(all.end(), faults.begin(), faults.end());
    if (faults.empty()) check_parties();
  }

  /// A party that is no agency would be shown nothing, silently.
  void check_parties() {
    for (const auto& file : core::split_policy(config_.rules.policy_text, config_.rules.policy_file)) {
      auto document = ConfigDocument::parse(file.text, file.name);
      for (auto& table : document.root().tables("agreement")) {
        for (const auto& party : table.texts("parties")) check_agency(table, "parties", party);
      }
      auto& faults = document.faults();
      document_.faults().insert(document_.faults().end(), faults.begin(), faults.end());
    }
  }

  /// A role that no rule names would see nothing, silently.
  void check_roles() {
    std::vector<std::string> known;
    for (const auto& rule : config_.policy.rules()) {
      if (std::find(known.begin(), known.end(), rule.role) == known.end()) known.push_back(rule.role);
    }
    for (auto& [table, roles] : role_places_) {
      for (const auto& role : roles) {
        if (std::find(known.begin(), known.end(), role) != known.end()) continue;
        table.fault("roles",
                    "no rule of the policy names the role " + ticked(role) + ": it would see nothing",
                    suggest(role, known));
      }
    }
  }

  void read_channels() {
    auto tables = root_.tables("channel");
    for (auto& table : tables) {
      const std::string name = unique_name(table, "name", "channel", channel_places_);
      const std::string agency_id = table.text("agency");
      check_agency(table, "agency", agency_id);
      const std::string direction = table.text("direction");
      if (direction == "in") {
        read_inbound(table, name, agency_id);
      } else if (direction == "out") {
        read_outbound(table, name, agency_id);
      } else if (!direction.empty()) {
        table.fault("direction", "a channel's direction is neither in nor out", "Write \"in\" or \"out\".");
      }
    }
  }

  void read_inbound(ConfigTable& table, const std::string& name, const std::string& agency_id) {
    core::InboundChannel channel{name, agency_id, {}};
    const core::Agency* owner = agency(agency_id);
    if (owner != nullptr && owner->may_publish.empty()) {
      table.fault(
          "agency",
          "the agency " + ticked(agency_id) + " may publish nothing, so all of this channel is refused",
          "Give the agency may_publish with the types that it sends.");
    }
    if (auto scope = table.table("scope")) {
      const Ages ages = read_ages(*scope);
      channel.scope.age_min_years = ages.years_min;
      channel.scope.age_max_years = ages.years_max;
      channel.scope.units = scope->texts("units");
      if (scope->has("units") && channel.scope.units.empty()) {
        scope->fault("units", "an empty list of units",
                     "Remove it to take every unit, or list unit or ward codes.");
      }
    }
    config_.rules.inbound.push_back(std::move(channel));
  }

  void read_outbound(ConfigTable& table, const std::string& name, const std::string& agency_id) {
    core::Subscription subscription;
    subscription.name = name;
    subscription.agency = agency_id;
    subscription.configured = true;
    subscription.role = table.text("role");
    if (const core::Agency* owner = agency(agency_id); owner != nullptr && !subscription.role.empty()) {
      if (std::find(owner->roles.begin(), owner->roles.end(), subscription.role) == owner->roles.end()) {
        table.fault("role", "the agency " + ticked(agency_id) + " has no role " + ticked(subscription.role),
                    owner->roles.empty() ? "Give the agency roles = [\"" + subscription.role + "\"]."
                                         : suggest(subscription.role, owner->roles));
      }
    }
    if (auto filter = table.table("filter")) subscription.filter = read_filter(*filter, agency_ids_);
    if (const auto start = table.optional_scalar("start")) subscription.start = read_start(table, *start);
    if (auto retry = table.table("retry")) subscription.retry = read_retry(*retry);
    subscription.rate_per_minute =
        static_cast<std::uint32_t>(table.integer("rate_per_minute", 0, 1, kRatePerMinuteMax));
    subscription.notice = table.boolean("notice", false);
    config_.rules.subscriptions.push_back(std::move(subscription));
    if (config_.rules.subscriptions.size() == limits::kSubscriptionsMax + 1) {
      table.fault("", "more outbound channels than the hub can serve (1024)", "Split them over two hubs.");
    }
  }

  static core::StartAt read_start(ConfigTable& table, const std::string& start) {
    using Kind = core::StartAt::Kind;
    if (start == "now") return {};
    if (start == "beginning") return {Kind::beginning, 0, 0};
    core::StartAt at;
    const auto* end = start.data() + start.size();
    const auto [stop, error] = std::from_chars(start.data(), end, at.sequence);
    if (error == std::errc() && stop == end && at.sequence > 0) {
      at.kind = Kind::sequence;
      return at;
    }
    if (const auto time = parse_time(start); time && stop != end) {
      return {Kind::time, 0, time->utc_us()};
    }
    table.fault("start", ticked(start) + " is no place in the ledger to start at",
                "Write \"now\", \"beginning\", an entry's number such as 1234, or a time such as "
                "2026-01-31T00:00:00Z.");
    return {};
  }

  static core::RetryRules read_retry(ConfigTable& table) {
    core::RetryRules retry;
    const auto number = [&table](std::string_view key, std::uint32_t fallback, std::int64_t min,
                                 std::int64_t max) {
      return static_cast<std::uint32_t>(table.integer(key, fallback, min, max));
    };
    retry.ack_wait_ms = number("ack_wait_ms", retry.ack_wait_ms, 100, 3'600'000);
    retry.attempts_max = number("attempts_max", retry.attempts_max, 1, 1'000);
    retry.backoff_first_ms = number("backoff_first_ms", retry.backoff_first_ms, 10, 3'600'000);
    retry.backoff_max_ms = number("backoff_max_ms", retry.backoff_max_ms, 10, 86'400'000);
    if (retry.backoff_max_ms < retry.backoff_first_ms) {
      table.fault(table.has("backoff_max_ms") ? "backoff_max_ms" : "backoff_first_ms",
                  "backoff_max_ms is below backoff_first_ms", "Make the longest wait at least the first.");
    }
    return retry;
  }

  ConfigDocument& document_;
  ConfigTable root_;
  HubConfig config_;
  std::optional<ConfigTable> policy_place_;
  bool listens_on_tcp_ = false;
  std::vector<std::string> agency_ids_;
  std::vector<std::pair<ConfigTable, std::vector<std::string>>> role_places_;
  std::map<std::string, std::string> agency_places_, client_places_, channel_places_, key_places_;
};

}  // namespace

std::string HubConfig::local_endpoint() const {
  for (const auto& endpoint : listen) {
    if (endpoint.starts_with("ipc://")) return endpoint;
  }
  return {};
}

std::filesystem::path beside(const ConfigDocument& document, const std::string& path) {
  // An absolute path stays as it is: operator/ replaces what stands before it.
  return (document.file().parent_path() / path).lexically_normal();
}

HubConfig read_config(ConfigDocument& document) {
  // A file that does not parse would only add a fault for every key that seems to be missing.
  if (!document.faults().empty()) return {};
  return Reader(document).read();
}

}  // namespace carehub::server
