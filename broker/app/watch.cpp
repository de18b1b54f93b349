#include <condition_variable>
#include <deque>
#include <mutex>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/show_event.hpp"
#include "broker/base/random.hpp"

namespace carehub::app {
namespace {

/// From the client's thread to the command's. Bounded by the subscription's credit.
struct Arrivals {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<wire::DeliveryT> deliveries;
  std::optional<Error> refused;
  bool confirmed = false;
};

struct Turn {
  std::deque<wire::DeliveryT> deliveries;
  std::optional<Error> refused;
  bool confirmed = false;
};

constexpr std::uint32_t kCredit = 256;
constexpr std::chrono::milliseconds kTurn{50};

/// Everything that is there now, waiting a turn for something.
Turn take(Arrivals& arrivals) {
  std::unique_lock lock(arrivals.mutex);
  arrivals.changed.wait_for(lock, kTurn, [&] { return !arrivals.deliveries.empty() || arrivals.refused; });
  return {std::exchange(arrivals.deliveries, {}), arrivals.refused, arrivals.confirmed};
}

/// The name of the watch's own subscription.
Result<std::string> subscribe(client::HubClient& hub, const WatchOptions& options, ledger::FilterT filter,
                              const std::shared_ptr<Arrivals>& arrivals) {
  SystemRandom random;
  client::SubscribeOptions subscription;
  subscription.name = "watch-" + random_uuid(random);
  subscription.role = options.role;
  subscription.filter = std::move(filter);
  subscription.durable = false;
  subscription.credit = kCredit;
  subscription.confirmed = [arrivals] {
    const std::lock_guard lock(arrivals->mutex);
    arrivals->confirmed = true;
    arrivals->changed.notify_one();
  };
  auto subscribed = hub.subscribe(
      subscription,
      [arrivals](std::vector<wire::DeliveryT> deliveries) {
        const std::lock_guard lock(arrivals->mutex);
        for (auto& delivery : deliveries) arrivals->deliveries.push_back(std::move(delivery));
        arrivals->changed.notify_one();
      },
      [arrivals](Error error) {
        const std::lock_guard lock(arrivals->mutex);
        arrivals->refused = std::move(error);
        arrivals->changed.notify_one();
      });
  if (!subscribed) return tl::unexpected(subscribed.error());
  return subscription.name;
}

}  // namespace

ExitCode watch(const WatchOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto filter = filter_of(options.filter);
  if (!filter) return complain(surroundings, ExitCode::usage, filter.error().text);
  auto agency = acting_agency(*config, options.role, options.agency);
  if (!agency) return complain(surroundings, agency.error());
  const auto arrivals = std::make_shared<Arrivals>();
  auto hub = connect(*config, "carehub watch", *agency);
  if (!hub) return complain(surroundings, hub.error());

  const auto name = subscribe(**hub, options, *std::move(filter), arrivals);
  if (!name) return complain(surroundings, name.error());

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
  std::uint64_t shown = 0;
  const auto over = [&] {
    return (options.count != 0 && shown >= options.count) ||
           (options.seconds != 0 && std::chrono::steady_clock::now() >= until) ||
           surroundings.stopped_within(std::chrono::milliseconds(0)) || !surroundings.out;
  };
  bool told = false;
  while (!over()) {
    const Turn turn = take(*arrivals);
    if (turn.confirmed && !std::exchange(told, true)) {  // what happens from here on is shown
      surroundings.err << "watching as " << options.role << (agency->empty() ? "" : " of " + *agency)
                       << "; Ctrl-C ends it" << std::endl;
    }
    std::vector<client::Answer> answers;
    for (const auto& delivery : turn.deliveries) {
      if (options.count != 0 && shown >= options.count) break;
      ++shown;
      if (options.json) {
        surroundings.out << delivery_json({}, delivery) << '\n';
      } else {
        print_delivery(surroundings.out, delivery);
      }
      answers.push_back({delivery.sequence, std::nullopt, {}, 0});
    }
    surroundings.out << std::flush;
    if (!answers.empty()) (*hub)->answer(*name, std::move(answers));
    if (turn.refused) return complain(surroundings, *turn.refused);
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
