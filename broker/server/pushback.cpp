#include "broker/server/pushback.hpp"

#include <algorithm>
#include <iterator>

#include "broker/base/fault.hpp"
#include "broker/base/limits.hpp"
#include "broker/core/wire_frames.hpp"

namespace carehub::server {

namespace {

std::vector<std::uint64_t> numbers_of(const wire::Publish& publish) {
  std::vector<std::uint64_t> numbers;
  for (const wire::PublishItem* item : *publish.items()) numbers.push_back(item->number());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

std::optional<Bytes> Pushback::answer(ConnectionId connection, const wire::Publish& publish, bool full,
                                      Timestamp now) {
  if (!full && (!told_.contains(connection) || kFault == Fault::lets_the_told_be_overtaken))
    return take(connection, publish);
  // What is no good frame is refused where it is decided.
  if (publish.items() == nullptr || publish.items()->size() == 0 ||
      publish.items()->size() > limits::kPublishItemsMax) {
    return std::nullopt;
  }
  const auto numbers = numbers_of(publish);
  Told& told = told_[connection];
  std::vector<std::uint64_t> others;
  std::set_difference(told.numbers.begin(), told.numbers.end(), numbers.begin(), numbers.end(),
                      std::back_inserter(others));
  if (full || others.size() < told.numbers.size()) told.since = now;
  if (!full) {
    const bool given_up = now.us - told.since.us > kForgetUs;
    if (others.empty() || given_up) {
      told_.erase(connection);
      return take(connection, publish);
    }
    if (others.front() > numbers.back()) {
      told.numbers = std::move(others);
      return take(connection, publish);
    }
  }
  told.numbers.clear();
  std::set_union(others.begin(), others.end(), numbers.begin(), numbers.end(),
                 std::back_inserter(told.numbers));
  // Nobody has more without an outcome than Welcome allows.
  if (told.numbers.size() > limits::kClientPublishQueueMax) {
    told.numbers.resize(limits::kClientPublishQueueMax);
  }
  if (const auto taken = taken_.find(connection); taken != taken_.end()) {
    std::erase_if(told.numbers, [last = taken->second](std::uint64_t number) { return number <= last; });
  }
  if (told.numbers.empty()) told_.erase(connection);
  std::vector<wire::PublishOutcomeT> outcomes;
  for (const wire::PublishItem* item : *publish.items()) {
    wire::PublishOutcomeT outcome;
    outcome.number = item->number();
    outcome.outcome = wire::Outcome::failed;
    outcome.kind = wire::ErrorKind::overloaded;
    outcome.text = "the hub's disk is behind: send it again, under the same number";
    outcomes.push_back(std::move(outcome));
  }
  items_ += outcomes.size();
  return core::published_frame(outcomes);
}

/// The frame may be decided. Its numbers rise, as a client sends them; who does otherwise harms its own
/// order.
std::nullopt_t Pushback::take(ConnectionId connection, const wire::Publish& publish) {
  if (publish.items() != nullptr && publish.items()->size() != 0) {
    auto& taken = taken_[connection];
    taken = std::max(taken, publish.items()->Get(publish.items()->size() - 1)->number());
  }
  return std::nullopt;
}

void Pushback::forget(ConnectionId connection) {
  told_.erase(connection);
  taken_.erase(connection);
}

}  // namespace carehub::server
