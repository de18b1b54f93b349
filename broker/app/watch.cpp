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
};

constexpr std::uint32_t kCredit = 256;
constexpr std::chrono::milliseconds kTurn{50};

/// Everything that is there now, waiting a turn for something.
std::deque<wire::DeliveryT> take(Arrivals& arrivals, std::optional<Error>& refused) {
  std::unique_lock lock(arrivals.mutex);
  arrivals.changed.wait_for(lock, kTurn, [&] { return !arrivals.deliveries.empty() || arrivals.refused; });
  refused = arrivals.refused;
  return std::exchange(arrivals.deliveries, {});
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

  SystemRandom random;
  client::SubscribeOptions subscription;
  subscription.name = "watch-" + random_uuid(random);
  subscription.role = options.role;
  subscription.filter = *filter;
  subscription.durable = false;
  subscription.credit = kCredit;
  auto subscribed = (*hub)->subscribe(
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
  if (!subscribed) return complain(surroundings, subscribed.error());
  surroundings.err << "watching as " << options.role << (agency->empty() ? "" : " of " + *agency)
                   << "; Ctrl-C ends it" << std::endl;

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
  std::uint64_t shown = 0;
  const auto over = [&] {
    return (options.count != 0 && shown >= options.count) ||
           (options.seconds != 0 && std::chrono::steady_clock::now() >= until) ||
           surroundings.stopped_within(std::chrono::milliseconds(0)) || !surroundings.out;
  };
  while (!over()) {
    std::optional<Error> refused;
    std::vector<client::Answer> answers;
    for (const auto& delivery : take(*arrivals, refused)) {
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
    if (!answers.empty()) (*hub)->answer(subscription.name, std::move(answers));
    if (refused) return complain(surroundings, *refused);
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
