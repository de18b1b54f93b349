#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "broker/client/connection.hpp"
#include "broker/client/outbox.hpp"
#include "broker/client/questions.hpp"
#include "broker/client/subscriptions.hpp"
#include "broker/client/wake_signal.hpp"

namespace carehub::client {

/// The HubClient: one thread that owns the connection, the outbox, the subscriptions and the questions.
/// Callers meet it at a queue.
class Session final : public HubClient {
 public:
  explicit Session(ClientOptions options);
  ~Session() override;

  /// Error `invalid`: the endpoint cannot be used. `unavailable`: no socket can be opened.
  Result<void> start();

  Result<void> publish(Publication publication, std::function<void(PublishResult)> done) override;
  Result<void> subscribe(SubscribeOptions options, std::function<void(std::vector<wire::DeliveryT>)> deliver,
                         std::function<void(Error)> refused) override;
  void answer(const std::string& subscription, std::vector<Answer> answers) override;
  Result<void> ask(Question question, std::function<void(Result<Reply>)> reply) override;
  bool connected() const override { return welcomed_; }
  void close() override;

 private:
  // Callers' side.
  Result<void> reserve(std::size_t bytes);
  void release(std::size_t bytes);
  Result<void> post(std::function<void()> request, std::size_t requests_max);

  // The thread's side.
  void run();
  void take_requests();
  void connect();
  void lose(const std::string& why);
  void read_frames();
  void take(BytesView bytes);
  void take_welcome(const wire::Welcome& welcome);
  void take_outcomes(const wire::Published& published);
  void take_rejected(const wire::Rejected& rejected);
  void write_frames();
  bool write(const Bytes& frame);
  bool flush();
  void watch_time();
  long wait_ms() const;
  void finish();

  ClientOptions options_;
  void* own_context_ = nullptr;
  SystemRandom random_;
  WakeSignal wake_;
  std::thread thread_;
  std::atomic<bool> closing_ = false;
  std::atomic<bool> welcomed_ = false;

  // Callers hand over under this mutex; the thread takes everything in one swap.
  std::mutex mutex_;
  std::vector<Outgoing> new_items_;
  std::vector<std::function<void()>> requests_;
  bool woken_ = false;
  bool closed_ = false;
  std::size_t held_ = 0;  // publications without an outcome
  std::size_t held_bytes_ = 0;

  std::unique_ptr<Connection> connection_;
  Outbox outbox_;
  Subscriptions subscriptions_;
  Questions questions_;
  Outbox::Window window_;
  std::vector<Bytes> waiting_;  // frames that are due, in order
  std::size_t written_ = 0;     // of waiting_
  bool full_ = false;
  bool more_to_read_ = false;
  Sequence last_receipt_ = 0;
  std::int64_t heard_ms_ = 0;
  std::int64_t said_ms_ = 0;
  std::int64_t reconnect_at_ms_ = 0;
  std::uint32_t backoff_ms_ = 0;
};

}  // namespace carehub::client
