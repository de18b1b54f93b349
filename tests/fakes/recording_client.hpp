#pragma once

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "broker/client/hub_client.hpp"

namespace carehub::fakes {

/// A hub that a test plays by hand: it keeps what is published and answered, and says what it is told to say.
/// Outcomes come from the thread of the test. Thread-safe.
class RecordingClient final : public client::HubClient {
 public:
  using Done = std::function<void(client::PublishResult)>;
  struct Published {
    client::Publication publication;
    Done done;
  };

  Result<void> publish(client::Publication publication, Done done) override {
    std::unique_lock lock(mutex_);
    if (publish_error_ && publish_error_times_ > 0) {
      --publish_error_times_;
      return tl::unexpected(*publish_error_);
    }
    if (waiting_ >= queue_max_) return fail(ErrorKind::overloaded, "the queue is full");
    if (!automatic_) {
      ++waiting_;
      published_.push_back({std::move(publication), std::move(done)});
      return {};
    }
    published_.push_back({std::move(publication), nullptr});
    const client::PublishResult result = next_result();
    lock.unlock();
    done(result);
    return {};
  }
  Result<void> subscribe(client::SubscribeOptions options,
                         std::function<void(std::vector<wire::DeliveryT>)> deliver,
                         std::function<void(Error)> refused) override {
    const std::lock_guard lock(mutex_);
    subscription_ = std::move(options);
    deliver_ = std::move(deliver);
    refused_ = std::move(refused);
    return {};
  }
  void answer(const std::string& stream, std::vector<client::Answer> answers) override {
    const std::lock_guard lock(mutex_);
    answered_streams_.push_back(stream);
    answers_.insert(answers_.end(), answers.begin(), answers.end());
  }
  Result<void> ask(client::Question, std::function<void(Result<client::Reply>)>) override {
    return fail(ErrorKind::unavailable, "a recording client answers no questions");
  }
  bool connected() const override { return true; }
  void close() override {}

  /// Receipts with rising sequences at once, unless `results` are given, which go first.
  void answer_at_once(std::vector<client::PublishResult> results = {}) {
    const std::lock_guard lock(mutex_);
    automatic_ = true;
    results_.assign(results.begin(), results.end());
  }
  void refuse_to_queue(Error error, int times) {
    const std::lock_guard lock(mutex_);
    publish_error_ = std::move(error);
    publish_error_times_ = times;
  }
  void queue_max(std::size_t count) {
    const std::lock_guard lock(mutex_);
    queue_max_ = count;
  }
  /// Completes the publication with this index.
  void complete(std::size_t index, client::PublishResult result) {
    Done done;
    {
      const std::lock_guard lock(mutex_);
      std::swap(done, published_.at(index).done);
      --waiting_;
    }
    done(std::move(result));
  }
  std::vector<client::Publication> published() const {
    const std::lock_guard lock(mutex_);
    std::vector<client::Publication> publications;
    for (const auto& published : published_) publications.push_back(published.publication);
    return publications;
  }
  void deliver(std::vector<wire::DeliveryT> deliveries) { deliver_(std::move(deliveries)); }
  void refuse_subscription(Error error) { refused_(std::move(error)); }
  client::SubscribeOptions subscription() const {
    const std::lock_guard lock(mutex_);
    return subscription_;
  }
  /// Under which name each call of answer() came.
  std::vector<std::string> answered_streams() const {
    const std::lock_guard lock(mutex_);
    return answered_streams_;
  }
  std::vector<client::Answer> answers() const {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

 private:
  client::PublishResult next_result() {
    if (results_.empty()) {
      client::Receipt receipt;
      receipt.sequence = ++sequence_;
      return receipt;
    }
    client::PublishResult result = results_.front();
    results_.pop_front();
    return result;
  }

  mutable std::mutex mutex_;
  std::deque<Published> published_;
  std::size_t waiting_ = 0;
  std::size_t queue_max_ = limits::kClientPublishQueueMax;
  bool automatic_ = false;
  std::deque<client::PublishResult> results_;
  std::optional<Error> publish_error_;
  int publish_error_times_ = 0;
  Sequence sequence_ = 0;
  client::SubscribeOptions subscription_;
  std::function<void(std::vector<wire::DeliveryT>)> deliver_;
  std::function<void(Error)> refused_;
  std::vector<client::Answer> answers_;
  std::vector<std::string> answered_streams_;
};

}  // namespace carehub::fakes
