#include "adapters/console/console.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <chrono>

#include "adapters/channel/door_report.hpp"
#include "adapters/channel/transport_config.hpp"
#include "adapters/console/front_desk.hpp"
#include "adapters/transports/connection_listener.hpp"

namespace carehub::adapters {
namespace {

constexpr const char* kName = "console";
constexpr std::size_t kConnectionsMax = 128;
constexpr std::size_t kHeaderBytesMax = 8U << 10U;
constexpr std::size_t kBodyBytesMax = 4U << 10U;
constexpr std::array<const char*, kSignInRefusals> kCauses = {"an account that is not there",
                                                              "an account whose last day is over",
                                                              "a wrong password",
                                                              "a wrong or used code",
                                                              "had to wait after wrong ones",
                                                              "too many at once",
                                                              "a form of somebody else's",
                                                              "not by the provider",
                                                              "without a role here"};

/// As the hub writes them down, in the order of SignInRefusal.
TurnedAwayCounts by_cause(const SignInCounts& counts) {
  using wire::TurnedAway;
  constexpr std::array<TurnedAway, kSignInRefusals> kWritten = {
      TurnedAway::no_account,   TurnedAway::account_over, TurnedAway::wrong_password,
      TurnedAway::wrong_code,   TurnedAway::has_to_wait,  TurnedAway::too_many,
      TurnedAway::foreign_form, TurnedAway::provider,     TurnedAway::no_role};
  TurnedAwayCounts by_cause;
  for (std::size_t cause = 0; cause < kSignInRefusals; ++cause)
    by_cause[kWritten.at(cause)] = counts.at(cause);
  return by_cause;
}

/// What tells one state of a file from another: i-node, size and time of change.
std::array<std::int64_t, 4> stamp_of(const std::filesystem::path& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return {static_cast<std::int64_t>(status.st_ino), status.st_size, status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

void read_listen(ConfigTable& table, ConsoleOptions& options) {
  const std::string listen = table.text("listen");
  if (listen.empty()) return;
  const auto colon = listen.rfind(':');
  std::string address = listen.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (address.empty() || error != std::errc{} || end != port.data() + port.size() || options.port == 0)
    table.fault("listen", "this is not an address and a port", "Write listen = \"127.0.0.1:8443\"");
  options.address = address;
}

}  // namespace

std::filesystem::path accounts_file_of(ConfigDocument& document) {
  auto root = document.root();
  auto table = root.table("console");
  const std::string name = table ? table->optional_text("accounts_file").value_or("") : "";
  return document.file().parent_path() / (name.empty() ? "accounts.toml" : name);
}

std::optional<ConsoleOptions> read_console(ConfigDocument& document, const std::vector<std::string>& roles) {
  auto root = document.root();
  auto table = root.table("console");
  if (!table) return std::nullopt;
  ConsoleOptions options;
  read_listen(*table, options);
  options.tls = TransportReader(document.file().parent_path()).read_tls(*table);
  if (!table->has("tls") && !options.address.empty() && !is_loopback(options.address)) {
    table->fault("listen",
                 "passwords would cross the network in clear: without TLS the console listens on a "
                 "loopback address alone",
                 "Add tls = { certificate_file = ..., key_file = ... }, or listen on 127.0.0.1");
  }
  options.times.idle_us = table->integer("idle_minutes", 15, 1, 60) * 60 * kSecondUs;
  options.times.absolute_us = table->integer("session_hours", 12, 1, 24) * 3'600 * kSecondUs;
  options.accounts_file = accounts_file_of(document);
  options.roles = roles;
  options.open_id = read_open_id(*table, document.file().parent_path(), roles);
  for (auto& fault : read_accounts(options.accounts_file, roles).faults)
    document.faults().push_back(std::move(fault));
  return options;
}

struct Console::Impl : std::enable_shared_from_this<Console::Impl> {
  using Listener = ConnectionListener<HttpConnection>;

  Impl(IoThread& io_thread, ConsoleOptions given) : io(io_thread), options(std::move(given)) {}

  void take_changed_file() {
    const auto now = stamp_of(options.accounts_file);
    const bool settled = now == seen;
    seen = now;
    if (!settled || now == taken) return;
    taken = now;
    auto read = read_accounts(options.accounts_file, options.roles);
    if (!read.faults.empty()) {
      spdlog::error("code=CH-CONSOLE-ACCOUNTS alarm=true who may sign in stays as it was: {}",
                    to_string(read.faults.front()));
      return;
    }
    spdlog::info("console: {} accounts may sign in", read.accounts.size());
    desk->take(std::move(read.accounts));
  }

  /// A line a minute at most and cause, so that strangers cannot fill the disk.
  void summarise() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_summary) return;
    report->turned_away(by_cause(desk->counts()));
    if (desk->counts() == told) return;
    next_summary = now + std::chrono::minutes(1);
    for (std::size_t cause = 0; cause < kSignInRefusals; ++cause) {
      const auto count = desk->counts().at(cause) - told.at(cause);
      if (count > 0)
        spdlog::warn("console: {} not let in since the last such line: {}", count, kCauses.at(cause));
    }
    told = desk->counts();
  }

  void look() {
    if (stopped) return;
    take_changed_file();
    summarise();
    io.post_after(options.look_ms, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }

  Result<void> start();

  IoThread& io;
  ConsoleOptions options;
  std::shared_ptr<client::HubClient> hub;
  std::shared_ptr<DoorReport> report;
  std::shared_ptr<FrontDesk> desk;
  std::shared_ptr<HttpService> service;
  std::shared_ptr<Listener> listener;
  std::array<std::int64_t, 4> taken{};
  std::array<std::int64_t, 4> seen{};
  SignInCounts told{};
  std::chrono::steady_clock::time_point next_summary{};
  bool stopped = false;
};

Result<void> Console::Impl::start() {
  taken = seen = stamp_of(options.accounts_file);  // before reading: what changes meanwhile is seen later
  auto read = read_accounts(options.accounts_file, options.roles);
  if (!read.faults.empty()) return fail(ErrorKind::invalid, to_string(read.faults.front()));
  if (nobodys_hash().empty())
    return fail(ErrorKind::overloaded, "the console needs 256 MiB of memory to compare a password");
  static const SystemClock clock;  // both for whatever is still under way when this goes
  static SystemRandom random;
  const auto post = [&io = io](std::function<void()> work) { io.post(std::move(work)); };
  options.hub.client = kName;
  auto opened = client::HubClient::open(options.hub);
  if (!opened) return tl::unexpected(opened.error());
  hub = std::move(*opened);
  report = std::make_shared<DoorReport>(kName, *hub, post);
  desk = std::make_shared<FrontDesk>(
      options.tls.has_value(), options.times, clock, random, post,
      [client = hub, told = report](wire::DoorEvent event, const std::string& account,
                                    const DoorReport::Kept& done) { told->tell(event, account, done); });
  if (options.open_id) desk->use_provider(std::make_shared<OpenId>(*options.open_id, clock, random, post));
  desk->take(std::move(read.accounts));
  service = std::make_shared<HttpService>();
  service->options.channel = kName;
  service->options.connections_max = kConnectionsMax;
  service->options.header_bytes_max = kHeaderBytesMax;
  service->options.body_bytes_max = kBodyBytesMax;
  service->answer = [shared = desk](HttpRequest request, std::function<void(HttpAnswer)> done) {
    shared->answer(std::move(request), std::move(done));
  };
  if (options.tls) {
    auto tls = TlsServer::make(kName, *options.tls);
    if (!tls) return tl::unexpected(tls.error());
    service->tls = std::move(*tls);
  }
  listener = std::make_shared<Listener>(
      io, Listener::Options{.connections_max = kConnectionsMax,
                            .stop_ms = service->options.stop_ms,
                            .open =
                                [shared = service](Listener::Socket socket) {
                                  return std::make_shared<HttpConnection>(std::move(socket), shared);
                                },
                            .turned_away =
                                [shared = service](const Listener::Socket& socket) {
                                  shared->warn(peer_name(socket),
                                               "too many connections: this one is turned away");
                                }});
  if (auto started = listener->start(kName, options.address, options.port); !started) return started;
  if (service->tls) service->tls->watch(io);
  io.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
  return {};
}

Console::Console(IoThread& io, ConsoleOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}

Console::~Console() { stop(); }

Result<void> Console::start() { return impl_->start(); }

void Console::stop() {
  if (impl_->listener) impl_->listener->stop();
  if (impl_->hub == nullptr) return;
  impl_->io.run([this] { impl_->stopped = true; });
  impl_->hub->close();
}

std::uint16_t Console::port() const { return impl_->listener->port(); }

}  // namespace carehub::adapters
