#include "broker/app/hub_connection.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <istream>
#include <memory>
#include <mutex>
#include <ostream>
#include <thread>

#include "broker/app/configuration.hpp"
#include "broker/app/key_files.hpp"
#include "broker/server/filter_config.hpp"

namespace carehub::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectWait{5'000};
constexpr milliseconds kConnectPoll{10};
constexpr std::chrono::seconds kAnswerWait{60};
constexpr std::chrono::seconds kSearchWait{3600};  // the hub looks through its whole ledger
constexpr std::size_t kPersonBytesMax = 256;

std::string not_running(const std::string& endpoint, const std::string& what) {
  return "no hub answers at " + endpoint + ". Is `carehub run` or `carehub broker` running " + what + "?";
}

/// The last reason for which a connection failed, told on the client's thread.
class LossReason {
 public:
  void tell(const Error* lost) {
    const std::lock_guard lock(mutex_);
    text_ = lost == nullptr ? std::string() : " The connection failed: " + lost->text;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;  // between the client's thread and the command's
  std::string text_;
};

template <class Frame>
Result<Frame> answer_of(client::HubClient& hub, client::Question question,
                        std::chrono::seconds wait = kAnswerWait) {
  auto answered = std::make_shared<std::promise<Result<client::Reply>>>();
  auto future = answered->get_future();
  auto asked = hub.ask(std::move(question),
                       [answered](Result<client::Reply> reply) { answered->set_value(std::move(reply)); });
  if (!asked) return tl::unexpected(asked.error());
  if (future.wait_for(wait) != std::future_status::ready) {
    return fail(ErrorKind::unavailable, "the hub did not answer within " + std::to_string(wait.count()) +
                                            " s; ask it what it has done");
  }
  auto reply = future.get();
  if (!reply) return tl::unexpected(reply.error());
  auto* frame = std::get_if<Frame>(&*reply);
  if (frame == nullptr)
    return fail(ErrorKind::invalid, "the hub answered with another frame than was asked for");
  if (frame->error != wire::ErrorKind::unknown) return fail(error_kind(frame->error), frame->text);
  return std::move(*frame);
}

}  // namespace

ErrorKind error_kind(wire::ErrorKind kind) {
  switch (kind) {
    case wire::ErrorKind::conflict: return ErrorKind::conflict;
    case wire::ErrorKind::overloaded: return ErrorKind::overloaded;
    case wire::ErrorKind::unavailable: return ErrorKind::unavailable;
    case wire::ErrorKind::not_found: return ErrorKind::not_found;
    case wire::ErrorKind::corrupt: return ErrorKind::corrupt;
    case wire::ErrorKind::denied: return ErrorKind::denied;
    case wire::ErrorKind::unknown:
    case wire::ErrorKind::invalid: break;
  }
  return ErrorKind::invalid;
}

Result<client::ClientOptions> client_options(const server::HubConfig& config, const std::string& client,
                                             const std::string& agency) {
  client::ClientOptions options;
  options.client = client;
  options.agency = agency;
  if (!config.connect) {
    options.endpoint = config.local_endpoint();
    if (options.endpoint.empty()) {
      return fail(ErrorKind::invalid,
                  "the broker has no ipc:// endpoint and there is no [connect] with a key: add either");
    }
    return options;
  }
  options.endpoint = config.connect->endpoint;
  auto server = read_public_key(config.connect->server_key_file);
  if (!server) return tl::unexpected(server.error());
  auto own = read_secret_key(config.connect->secret_key_file);
  if (!own) return tl::unexpected(own.error());
  options.curve = client::CurveKeys{*server, own->public_key, own->secret_key};
  return options;
}

Result<std::unique_ptr<client::HubClient>> connect(const server::HubConfig& config, const std::string& client,
                                                   const std::string& agency) {
  auto options = client_options(config, client, agency);
  if (!options) return tl::unexpected(options.error());
  return connect(*std::move(options), "with this configuration");
}

Result<std::unique_ptr<client::HubClient>> connect(client::ClientOptions options, const std::string& what) {
  const std::string endpoint = options.endpoint;
  std::error_code error;
  // What cannot be looked at is left to the connection to say.
  if (endpoint.starts_with("ipc://") && !std::filesystem::exists(endpoint.substr(6), error) && !error) {
    return fail(ErrorKind::unavailable, not_running(endpoint, what));
  }
  const auto why = std::make_shared<LossReason>();
  options.on_connection = [why](const Error* lost) { why->tell(lost); };
  auto hub = client::HubClient::open(std::move(options));
  if (!hub) return hub;
  const auto until = std::chrono::steady_clock::now() + kConnectWait;
  while (!(*hub)->connected()) {
    if (std::chrono::steady_clock::now() > until)
      return fail(ErrorKind::unavailable, not_running(endpoint, what) + why->text());
    std::this_thread::sleep_for(kConnectPoll);
  }
  return hub;
}

Result<wire::PageT> ask(client::HubClient& hub, wire::QueryT query) {
  const bool searches = query.kind == wire::QueryKind::as_of || query.kind == wire::QueryKind::trail ||
                        query.kind == wire::QueryKind::report || query.kind == wire::QueryKind::policy_diff;
  return answer_of<wire::PageT>(hub, std::move(query), searches ? kSearchWait : kAnswerWait);
}
Result<wire::HandledT> ask(client::HubClient& hub, wire::HandleDeadLetterT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}
Result<wire::HandledT> ask(client::HubClient& hub, wire::HandleSubscriptionT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}

Result<wire::HandledT> ask(client::HubClient& hub, wire::CosignT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}

Result<wire::HandledT> ask(client::HubClient& hub, wire::ChangePolicyT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}

Result<wire::HandledT> ask(client::HubClient& hub, wire::MarkChildT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}

Result<wire::HandledT> ask(client::HubClient& hub, wire::BreakGlassT question) {
  return answer_of<wire::HandledT>(hub, std::move(question));
}

Result<std::size_t> each_row(client::HubClient& hub, wire::QueryT query,
                             const std::function<void(wire::RowT&)>& row,
                             const std::function<void(const std::string&)>& remark) {
  std::size_t rows = 0;
  auto told = std::chrono::steady_clock::now();
  query.rows_max = limits::kQueryRowsMax;
  for (;;) {
    auto page = ask(hub, query);
    if (!page) return tl::unexpected(page.error());
    for (const auto& each : page->rows) row(*each);
    rows += page->rows.size();
    if (remark && !page->text.empty()) remark(page->text);
    // Newest first, the number goes down from page to page.
    if (!page->more || page->next_after == query.after) return rows;
    query.after = page->next_after;
    const auto now = std::chrono::steady_clock::now();
    if (!remark || now - told < std::chrono::seconds(1)) continue;
    told = now;
    remark("looked as far as entry " + std::to_string(query.after));
  }
}

std::optional<server::HubConfig> load_config(const std::filesystem::path& file, Surroundings& surroundings) {
  auto document = ConfigDocument::load(file);
  auto config = server::read_config(document);
  if (document.faults().empty()) return config;
  print_faults(document.faults(), surroundings.err);
  return std::nullopt;
}

Result<std::string> read_person(const PersonOption& option, Surroundings& surroundings) {
  std::string text = option.text.value_or("");
  const auto read_line = [&text](std::istream& from) {
    text.clear();
    for (char c = 0; text.size() <= kPersonBytesMax && from.get(c) && c != '\n';) text += c;
  };
  if (option.text == "-" || option.file == "-") {
    read_line(surroundings.in);
  } else if (option.file) {
    std::ifstream file(*option.file, std::ios::binary);
    if (!file)
      return fail(ErrorKind::invalid, "the file with the identifier cannot be read: " + *option.file);
    read_line(file);
  }
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) {
    if (!option.given()) return std::string();
    return fail(ErrorKind::invalid, "nobody is named: what --person or --person-file gives is blank");
  }
  text = text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  if (text.size() > kPersonBytesMax || text.find(':') == std::string::npos) {
    return fail(ErrorKind::invalid,
                "the person is not written as nhs:VALUE, upn:VALUE, local:ISSUER:VALUE or sequence:N");
  }
  return text;
}

Result<std::string> acting_agency(const server::HubConfig& config, const std::string& role,
                                  const std::string& given) {
  if (!config.policy.has_role(role)) {
    std::vector<std::string> roles;
    for (const auto& rule : config.policy.rules()) roles.push_back(rule.role);
    return fail(ErrorKind::invalid,
                "no rule of the policy names the role `" + role + "`. " + server::suggest(role, roles));
  }
  std::vector<std::string> ids;
  std::string having;
  const core::Agency* only = nullptr;
  std::size_t count = 0;
  for (const auto& agency : config.rules.agencies) {
    ids.push_back(agency.id);
    if (agency.id == given) return given;
    if (std::find(agency.roles.begin(), agency.roles.end(), role) == agency.roles.end()) continue;
    only = &agency;
    having += (count++ == 0 ? "" : ", ") + agency.id;
  }
  if (!given.empty()) {
    return fail(ErrorKind::invalid,
                "no [[agency]] has the id `" + given + "`. " + server::suggest(given, ids));
  }
  if (count > 1)
    return fail(ErrorKind::invalid,
                "several agencies have the role `" + role + "`; add --agency with one of: " + having);
  return only == nullptr ? std::string() : only->id;
}

Result<ledger::FilterT> filter_of(const FilterWords& words) {
  ledger::FilterT filter;
  for (const auto& [key, word] : words) {
    if (const auto fault = server::add_condition(filter, key, word)) {
      return fail(ErrorKind::invalid, fault->text + ". " + fault->remedy);
    }
  }
  return filter;
}

}  // namespace carehub::app
