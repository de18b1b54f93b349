#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

#include "broker/client/hub_client.hpp"

namespace carehub::fakes {

/// A hub that is only asked: questions wait until a test answers them, on the test's own thread. Thread-safe.
class AnsweringClient final : public client::HubClient {
 public:
  using Done = std::function<void(Result<client::Reply>)>;

  Result<void> publish(client::Publication, std::function<void(client::PublishResult)>) override {
    return fail(ErrorKind::unavailable, "an answering client takes no publications");
  }
  Result<void> subscribe(client::SubscribeOptions, std::function<void(std::vector<wire::DeliveryT>)>,
                         std::function<void(Error)>) override {
    return fail(ErrorKind::unavailable, "an answering client has no subscriptions");
  }
  void answer(const std::string&, std::vector<client::Answer>) override {}
  Result<void> ask(client::Question question, Done done) override {
    const std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(question), std::move(done));
    return {};
  }
  bool connected() const override { return connected_; }
  void close() override {}

  void connect(bool connected) { connected_ = connected; }
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  /// What is asked by the oldest question that waits.
  template <class Asked = wire::QueryT>
  Asked asked() const {
    const std::lock_guard lock(mutex_);
    return std::get<Asked>(waiting_.at(0).first);
  }
  /// Answers the oldest question that waits.
  void reply(Result<client::Reply> reply) {
    Done done;
    {
      const std::lock_guard lock(mutex_);
      done = std::move(waiting_.at(0).second);
      waiting_.pop_front();
    }
    done(std::move(reply));
  }

 private:
  mutable std::mutex mutex_;
  std::deque<std::pair<client::Question, Done>> waiting_;
  std::atomic<bool> connected_{true};
};

}  // namespace carehub::fakes
