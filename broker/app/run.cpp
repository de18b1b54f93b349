#include <algorithm>
#include <mutex>
#include <ostream>

#include "adapters/channel/channel_set.hpp"
#include "adapters/console/console.hpp"
#include "broker/app/commands.hpp"
#include "broker/app/configuration.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/reload.hpp"
#include "broker/server/log.hpp"

/// run, broker, adapter: the processes that stay.
namespace carehub::app {
namespace {

constexpr std::chrono::milliseconds kTurn{200};

/// What made the hub stop by itself, told on its own thread and read on the command's.
class Failure {
 public:
  void report(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  std::optional<Error> error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }

 private:
  mutable std::mutex mutex_;  // between the hub's thread and the command's
  std::optional<Error> error_;
};

/// Once it serves, a hub stops by itself only when its record cannot be written or read.
ExitCode serving_failed(Surroundings& surroundings, const Error& error) {
  const ExitCode code = error.kind == ErrorKind::corrupt ? ExitCode::corrupt : ExitCode::storage;
  return complain(surroundings, code, "the hub has stopped: " + error.text);
}

/// The channels that this process runs; the named ones, or all. nullopt when a name is unknown.
std::optional<std::vector<adapters::ChannelConfig>> chosen_channels(const RunOptions& options,
                                                                    const Configuration& configuration,
                                                                    Surroundings& surroundings) {
  if (options.channels.empty()) return configuration.channels;
  std::vector<std::string> names;
  for (const auto& channel : configuration.channels) names.push_back(channel.name);
  std::vector<adapters::ChannelConfig> chosen;
  for (const auto& name : options.channels) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string nearest = nearest_word(name, names);
      complain(surroundings, ExitCode::not_found,
               "no [[channel]] has the name `" + name + "`" +
                   (nearest.empty() ? "" : ". Did you mean `" + nearest + "`?"));
      return std::nullopt;
    }
    chosen.push_back(configuration.channels[static_cast<std::size_t>(found - names.begin())]);
  }
  return chosen;
}

void say_ready(const server::HubConfig& hub, const std::vector<adapters::ChannelConfig>& channels,
               bool broker, Surroundings& surroundings) {
  if (broker) {
    for (const auto& endpoint : hub.listen)
      surroundings.out << hub.name << " listens on " << endpoint << '\n';
  }
  for (const auto& channel : channels) surroundings.out << adapters::describe(channel) << '\n';
  surroundings.out << "ready" << std::endl;
}

void say_console(const adapters::ConsoleOptions& console, Surroundings& surroundings) {
  surroundings.out << "console on http" << (console.tls ? "s" : "") << ", " << console.address << " port "
                   << console.port << '\n';
}

ExitCode run_adapter(const RunOptions& run, const Configuration& configuration,
                     const std::vector<adapters::ChannelConfig>& channels, Surroundings& surroundings) {
  (void)surroundings.reload_asked();  // as below
  auto options = client_options(configuration.hub, "adapter", {});
  if (!options) return complain(surroundings, options.error());
  auto set = adapters::ChannelSet::start(channels, *options);
  if (!set) return complain(surroundings, set.error());
  say_ready(configuration.hub, channels, false, surroundings);
  Reloaded running{nullptr, {}, {}, set->get()};
  while (!surroundings.stopped_within(kTurn)) {
    if (surroundings.reload_asked()) reload(run.config, running);
  }
  (*set)->stop();
  return ExitCode::ok;
}

ExitCode run_hub(const RunOptions& run, const Configuration& configuration,
                 const std::vector<adapters::ChannelConfig>& channels,
                 const std::optional<adapters::TileListenerOptions>& tiles, Surroundings& surroundings) {
  (void)surroundings.reload_asked();  // from here on; this configuration is as new as it gets
  auto options = hub_options(configuration.hub);
  if (!options) return complain(surroundings, options.error());
  const auto opening = std::make_shared<StillBusy>(surroundings.err, "opening and checking the ledger");
  options->progress = [opening, folding = progress_on(surroundings.err)](Sequence done, Sequence all) {
    opening->end();
    folding(done, all);
  };
  auto started = start_hub(*std::move(options));
  opening->end();
  if (!started) return complain(surroundings, started.error().code, started.error().text);
  server::Hub& hub = **started;
  Failure failure;
  hub.on_failure([&failure](Error error) { failure.report(std::move(error)); });

  std::unique_ptr<adapters::ChannelSet> set;
  if (!channels.empty() || tiles) {
    client::ClientOptions client;
    client.endpoint = server::kInprocEndpoint;
    client.zmq_context = hub.zmq_context();
    auto started_set = adapters::ChannelSet::start(channels, client, tiles);
    if (!started_set) {
      (void)hub.stop();
      return complain(surroundings, started_set.error());
    }
    set = *std::move(started_set);
  }
  if (tiles) {
    surroundings.out << "checkpoint and tiles on http" << (tiles->tls ? "s://" : "://") << tiles->address
                     << ":" << tiles->port << '\n';
  }
  std::optional<adapters::IoThread> console_io;
  std::optional<adapters::Console> console;
  if (run.parts == RunOptions::Parts::all && configuration.console) {
    console_io.emplace();
    adapters::ConsoleOptions pages_of = *configuration.console;
    pages_of.hub.endpoint = server::kInprocEndpoint;
    pages_of.hub.zmq_context = hub.zmq_context();
    console.emplace(*console_io, std::move(pages_of));
    if (auto pages = console->start(); !pages) {
      console.reset();
      if (set) set->stop();
      (void)hub.stop();
      return complain(surroundings, pages.error());
    }
    say_console(*configuration.console, surroundings);
  }
  say_ready(configuration.hub, channels, true, surroundings);
  Reloaded running{&hub, configuration.hub.clients, configuration.hub.rules.policy_text, set.get()};
  while (hub.running() && !surroundings.stopped_within(kTurn)) {
    if (surroundings.reload_asked()) reload(run.config, running);
  }
  console.reset();
  // What is under way gets its receipt first; the hub goes last.
  if (set) set->stop();
  set.reset();
  const auto stopped = hub.stop();
  if (const auto error = failure.error()) return serving_failed(surroundings, *error);
  if (!stopped) return serving_failed(surroundings, stopped.error());
  return ExitCode::ok;
}

}  // namespace

ExitCode run(const RunOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  if (!configuration.faults.empty()) {
    print_faults(configuration.faults, surroundings.err);
    return ExitCode::wrong_input;
  }
  if (auto log = server::start_log({}); !log)
    return complain(surroundings, ExitCode::storage, log.error().text);
  if (options.parts == RunOptions::Parts::broker)
    return run_hub(options, configuration, {}, std::nullopt, surroundings);
  const auto channels = chosen_channels(options, configuration, surroundings);
  if (!channels) return ExitCode::not_found;
  if (options.parts == RunOptions::Parts::adapter)
    return run_adapter(options, configuration, *channels, surroundings);
  return run_hub(options, configuration, *channels, configuration.tiles, surroundings);
}

}  // namespace carehub::app
