#include "broker/client/session.hpp"

#include <zmq.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "broker/base/wire_frame.hpp"

namespace carehub::client {

namespace {

constexpr std::size_t kReadBurstFrames = 64;  // before something is written again
constexpr std::size_t kRequestsMax = 1'024;   // questions and subscriptions waiting for the thread
constexpr std::size_t kPublishFramesBurst = 4;

std::int64_t steady_ms() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

std::string text_or_empty(const flatbuffers::String* text) {
  return text == nullptr ? std::string() : text->str();
}

Error closed_error() {
  return {ErrorKind::unavailable, "the client was closed before the hub answered; publish again to be sure"};
}

}  // namespace

Session::Session(ClientOptions options) : options_(std::move(options)) {}

Session::~Session() {
  close();
  connection_.reset();
  if (own_context_ != nullptr) zmq_ctx_term(own_context_);
}

Result<void> Session::start() {
  if (options_.zmq_context == nullptr) {
    own_context_ = zmq_ctx_new();
    if (own_context_ == nullptr)
      return fail(ErrorKind::unavailable, "no ZeroMQ context: too many open files");
    options_.zmq_context = own_context_;
  }
  if (wake_.fd() < 0) return fail(ErrorKind::unavailable, "no event descriptor: too many open files");
  auto connection = Connection::open(options_.zmq_context, options_, random_);
  if (!connection) return tl::unexpected(connection.error());
  connection->reset();  // the thread opens its own; this one only proved that the endpoint can be used
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> Session::reserve(std::size_t bytes) {
  if (closed_) return tl::unexpected(closed_error());
  if (held_ >= options_.publish_queue_max || held_bytes_ + bytes > limits::kClientPublishQueueBytesMax) {
    return fail(ErrorKind::overloaded, "the queue to the hub is full; publish again when results have come");
  }
  ++held_;
  held_bytes_ += bytes;
  return {};
}

void Session::release(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  --held_;
  held_bytes_ -= bytes;
}

Result<void> Session::publish(Publication publication, std::function<void(PublishResult)> done) {
  auto item = outgoing(std::move(publication), std::move(done));
  if (!item) return tl::unexpected(item.error());
  const std::lock_guard lock(mutex_);
  if (auto reserved = reserve(item->bytes); !reserved) return reserved;
  new_items_.push_back(std::move(*item));
  if (!woken_) wake_.raise();
  woken_ = true;
  return {};
}

Result<void> Session::post(std::function<void()> request, std::size_t requests_max) {
  const std::lock_guard lock(mutex_);
  if (closed_) return tl::unexpected(closed_error());
  if (requests_.size() >= requests_max)
    return fail(ErrorKind::overloaded, "too many requests to the hub wait");
  requests_.push_back(std::move(request));
  if (!woken_) wake_.raise();
  woken_ = true;
  return {};
}

Result<void> Session::subscribe(SubscribeOptions options,
                                std::function<void(std::vector<wire::DeliveryT>)> deliver,
                                std::function<void(Error)> refused) {
  if (options.name.empty() || options.name.size() > limits::kNameBytesMax ||
      options.role.size() > limits::kNameBytesMax) {
    return fail(ErrorKind::invalid, "a subscription has a name, and names have at most 128 bytes");
  }
  options.credit = std::clamp<std::uint32_t>(options.credit, 1, limits::kCreditMax);
  return post(
      [this, options = std::move(options), deliver = std::move(deliver), refused = std::move(refused)] {
        if (auto added = subscriptions_.add(options, deliver, refused); !added) refused(added.error());
      },
      kRequestsMax);
}

void Session::answer(const std::string& subscription, std::vector<Answer> answers) {
  // Credit bounds how many answers there can be. After close() nobody wants them.
  static_cast<void>(post(
      [this, subscription, answers = std::move(answers)] { subscriptions_.answer(subscription, answers); },
      std::numeric_limits<std::size_t>::max()));
}

Result<void> Session::ask(Question question, std::function<void(Result<Reply>)> reply) {
  const auto shared = std::make_shared<Question>(std::move(question));
  return post(
      [this, shared, reply = std::move(reply)] { questions_.add(std::move(*shared), reply, steady_ms()); },
      kRequestsMax);
}

void Session::close() {
  closing_ = true;
  wake_.raise();
  if (thread_.joinable()) thread_.join();
}

void Session::run() {
  while (!closing_) {
    take_requests();
    if (connection_ == nullptr && steady_ms() >= reconnect_at_ms_) connect();
    if (connection_ != nullptr) read_frames();
    if (connection_ != nullptr) write_frames();
    watch_time();
    if (connection_ != nullptr) {
      connection_->poll(wake_.fd(), full_, wait_ms());
    } else {
      zmq_pollitem_t item{nullptr, wake_.fd(), ZMQ_POLLIN, 0};
      zmq_poll(&item, 1, wait_ms());
    }
  }
  finish();
}

void Session::take_requests() {
  std::vector<Outgoing> items;
  std::vector<std::function<void()>> requests;
  {
    const std::lock_guard lock(mutex_);
    if (woken_) wake_.clear();
    woken_ = false;
    items.swap(new_items_);
    requests.swap(requests_);
  }
  for (Outgoing& item : items) outbox_.add(std::move(item));
  for (const auto& request : requests) request();
}

void Session::connect() {
  auto opened = Connection::open(options_.zmq_context, options_, random_);
  if (!opened) return lose(opened.error().text);
  connection_ = std::move(*opened);
  heard_ms_ = said_ms_ = steady_ms();
  waiting_.clear();
  written_ = 0;
  wire::HelloT hello;
  hello.client = options_.client;
  hello.agency = options_.agency;
  hello.last_receipt = last_receipt_;
  hello.software = "carehub-client";
  waiting_.push_back(frame_bytes(std::move(hello)));
}

void Session::lose(const std::string& why) {
  connection_.reset();
  welcomed_ = false;
  full_ = more_to_read_ = false;
  outbox_.rewind();
  subscriptions_.rewind();
  waiting_.clear();
  written_ = 0;
  questions_.fail_sent(
      {ErrorKind::unavailable, "the connection to the hub was lost (" + why + "); ask again"});
  backoff_ms_ = std::clamp(2 * backoff_ms_, limits::kClientReconnectFirstMs, limits::kClientReconnectMaxMs);
  std::array<std::uint8_t, 1> jitter{};
  random_.fill(jitter);
  // Between half and the whole of it, so that many clients do not all come at once.
  reconnect_at_ms_ = steady_ms() + backoff_ms_ / 2 + backoff_ms_ * jitter[0] / 512;
  const Error error{ErrorKind::unavailable, why};
  if (options_.on_connection) options_.on_connection(&error);
}

void Session::read_frames() {
  more_to_read_ = false;
  for (std::size_t count = 0; count < kReadBurstFrames; ++count) {
    const std::optional<Bytes> frame = connection_->receive();
    if (!frame) {
      // What came before the loss counts, so this is asked only when there is nothing left to read.
      if (connection_->lost()) lose(connection_->why());
      return;
    }
    heard_ms_ = steady_ms();
    take(*frame);
    if (connection_ == nullptr) return;
  }
  more_to_read_ = true;
}

void Session::take(BytesView bytes) {
  const wire::Frame* frame = verified_frame(bytes);
  if (frame == nullptr || frame->major() != kWireMajor) return lose("a frame that is not of this protocol");
  switch (frame->message_type()) {
    case wire::Message::Welcome: return take_welcome(*frame->message_as_Welcome());
    case wire::Message::Published: return take_outcomes(*frame->message_as_Published());
    case wire::Message::Deliver: return subscriptions_.deliver(*frame->message_as_Deliver());
    case wire::Message::Subscribed:
      return subscriptions_.accepted(text_or_empty(frame->message_as_Subscribed()->name()));
    case wire::Message::Page: return questions_.page(*frame->message_as_Page());
    case wire::Message::Replayed: return questions_.replayed(*frame->message_as_Replayed(), steady_ms());
    case wire::Message::Handled: return questions_.handled(*frame->message_as_Handled());
    case wire::Message::Erased: return questions_.erased(*frame->message_as_Erased());
    case wire::Message::BackedUp: return questions_.backed_up(*frame->message_as_BackedUp(), steady_ms());
    case wire::Message::Rejected: return take_rejected(*frame->message_as_Rejected());
    case wire::Message::Goodbye: return lose("the hub is stopping");
    default: return;  // a heartbeat, or a verb that this client has no use for
  }
}

void Session::take_welcome(const wire::Welcome& welcome) {
  window_.in_flight_max = std::max<std::size_t>(1, welcome.in_flight_max());
  window_.frame_bytes_max = std::min<std::size_t>(welcome.publish_bytes_max(), limits::kPublishBytesMax);
  backoff_ms_ = 0;
  welcomed_ = true;
  if (options_.on_connection) options_.on_connection(nullptr);
}

void Session::take_outcomes(const wire::Published& published) {
  if (published.outcomes() == nullptr) return;
  const std::int64_t now_ms = steady_ms();
  for (const wire::PublishOutcome* outcome : *published.outcomes()) {
    auto finished = outbox_.outcome(*outcome, now_ms);
    if (!finished) continue;
    if (const auto* receipt = std::get_if<Receipt>(&finished->result)) {
      last_receipt_ = std::max(last_receipt_, receipt->sequence);
    }
    release(finished->item.bytes);
    finished->item.done(std::move(finished->result));
  }
}

void Session::take_rejected(const wire::Rejected& rejected) {
  const Error error{static_cast<ErrorKind>(rejected.kind()), text_or_empty(rejected.text())};
  const bool answered = rejected.number() != 0 && questions_.rejected(rejected.number(), error);
  const std::string subscription = text_or_empty(rejected.subscription());
  if (!subscription.empty()) {
    subscriptions_.refuse(subscription, error);
  } else if (!answered && rejected.number() == 0 && welcomed_) {
    subscriptions_.refuse_oldest(error);
  }
  if (!rejected.closing()) return;
  if (error.kind == ErrorKind::denied) backoff_ms_ = limits::kClientReconnectMaxMs;
  lose(error.text);
}

bool Session::write(const Bytes& frame) {
  full_ = connection_->send(frame) == Connection::Sent::full;
  if (!full_) said_ms_ = steady_ms();
  return !full_;
}

bool Session::flush() {
  while (written_ < waiting_.size()) {
    if (!write(waiting_[written_])) return false;
    ++written_;
  }
  waiting_.clear();
  written_ = 0;
  return true;
}

void Session::write_frames() {
  if (!flush() || !welcomed_) return;
  subscriptions_.take_frames(waiting_);
  questions_.take_frames(waiting_);
  if (steady_ms() - said_ms_ >= limits::kHeartbeatMs) waiting_.push_back(frame_bytes(wire::HeartbeatT{}));
  if (!flush()) return;
  for (std::size_t count = 0; count < kPublishFramesBurst; ++count) {
    auto frame = outbox_.next_frame(window_, steady_ms());
    if (!frame) return;
    waiting_.push_back(std::move(*frame));
    if (!flush()) return;
  }
  more_to_read_ = true;  // there may be more to write, too: look again at once
}

void Session::watch_time() {
  const std::int64_t now_ms = steady_ms();
  questions_.fail_late(now_ms);
  if (connection_ != nullptr && now_ms - heard_ms_ > limits::kPeerSilenceMs)
    lose("nothing was heard of the hub");
}

long Session::wait_ms() const {
  if (more_to_read_) return 0;
  const std::int64_t now_ms = steady_ms();
  std::int64_t until_ms = now_ms + limits::kHeartbeatMs;
  if (connection_ == nullptr) {
    until_ms = std::min(until_ms, reconnect_at_ms_);
  } else {
    until_ms = std::min(until_ms, heard_ms_ + limits::kPeerSilenceMs + 1);
    if (welcomed_) {
      until_ms = std::min(until_ms, said_ms_ + limits::kHeartbeatMs);
      if (const auto retry = outbox_.retry_at_ms()) until_ms = std::min(until_ms, *retry);
    }
  }
  if (full_) until_ms = std::max(until_ms, now_ms + 1);  // a heartbeat that is due waits for room
  return static_cast<long>(std::clamp<std::int64_t>(until_ms - now_ms, 0, limits::kHeartbeatMs));
}

void Session::finish() {
  std::vector<Outgoing> items;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  take_requests();
  if (connection_ != nullptr && welcomed_) {
    if (flush()) subscriptions_.take_frames(waiting_);
    waiting_.push_back(frame_bytes(wire::GoodbyeT{}));
    flush();
  }
  welcomed_ = false;
  connection_.reset();
  for (Outgoing& item : outbox_.take_all()) {
    release(item.bytes);
    item.done(closed_error());
  }
  questions_.fail_all(closed_error());
}

}  // namespace carehub::client
