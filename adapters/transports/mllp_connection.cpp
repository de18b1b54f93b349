#include "adapters/transports/mllp_connection.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "adapters/transports/listening_socket.hpp"

namespace carehub::adapters {
namespace {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 64U << 10U;
constexpr std::chrono::milliseconds kAskAgainFirst{20};
constexpr std::chrono::milliseconds kAskAgainMax{1000};
constexpr std::chrono::milliseconds kGoodbye{1000};

}  // namespace

MllpConnection::MllpConnection(PeerStream::Socket socket, std::shared_ptr<MllpService> service)
    : service_(std::move(service)),
      stream_(std::move(socket), service_->tls),
      peer_(peer_name(stream_.socket())),
      frames_(service_->options.frame_bytes_max),
      buffer_(kReadBytes),
      changed_(stream_.get_executor(), Clock::time_point::max()),
      idle_since_(Clock::now()) {
  set_options(stream_.socket());
}

MllpConnection::~MllpConnection() { service_->held_bytes -= held_bytes_; }

void MllpConnection::account() {
  const std::size_t held = frames_.held_bytes() + in_flight_bytes_;
  service_->held_bytes += held - held_bytes_;  // wraps around where it is less
  held_bytes_ = held;
}

void MllpConnection::start() {
  const auto self = shared_from_this();
  asio::co_spawn(stream_.get_executor(), [self] { return self->serve(); }, asio::detached);
  asio::co_spawn(stream_.get_executor(), [self] { return self->write(); }, asio::detached);
}

asio::awaitable<void> MllpConnection::serve() {
  const auto self = shared_from_this();
  if (co_await stream_.meet(peer_)) co_await read();
  reading_ = false;
  wake();
}

asio::awaitable<void> MllpConnection::read() {
  const std::uint64_t stray_before = frames_.stray_bytes();
  while (!finishing_ && co_await room() && co_await read_some()) {
    while (std::optional<Bytes> message = frames_.next(unread_)) {
      frame_time_left_ = std::chrono::milliseconds(service_->options.frame_ms);
      if (!message->empty()) co_await take(std::move(*message));
    }
    account();
    if (frames_.oversize()) {
      ++service_->counts.oversize;
      service_->warn(peer_, "a frame is over the size limit: the connection is closed");
      break;
    }
  }
  if (frames_.inside() && !frames_.oversize()) ++service_->counts.half_frames;
  service_->counts.half_frames += frames_.abandoned();
  service_->counts.stray_bytes += frames_.stray_bytes() - stray_before;
}

/// Waits while all connections together hold as much as they may. The time of a frame that has begun runs on:
/// a thousand half frames would otherwise keep everybody out for good.
asio::awaitable<bool> MllpConnection::room() {
  const auto full = [this] { return service_->held_bytes >= service_->options.memory_bytes_max; };
  if (!full()) co_return true;
  service_->warn(peer_, "all connections together hold as much as they may: reading waits");
  const auto began = Clock::now();
  if (frames_.inside()) read_deadline_ = began + frame_time_left_;
  asio::steady_timer pause(stream_.get_executor());
  error_code ignored;
  while (!finishing_ && full()) {
    pause.expires_after(kAskAgainFirst);
    co_await pause.async_wait(redirect_error(use_awaitable, ignored));
  }
  if (frames_.inside()) frame_time_left_ -= Clock::now() - began;
  read_deadline_ = Clock::time_point::max();
  co_return !finishing_;
}

asio::awaitable<bool> MllpConnection::read_some() {
  if (!frames_.inside()) frame_time_left_ = std::chrono::milliseconds(service_->options.frame_ms);
  const auto began = Clock::now();
  if (frames_.inside()) read_deadline_ = began + frame_time_left_;
  error_code error;
  const std::size_t size =
      co_await stream_.async_read_some(asio::buffer(buffer_), redirect_error(use_awaitable, error));
  // Only the peer's own slowness counts, not the time in which we did not read.
  if (frames_.inside()) frame_time_left_ -= Clock::now() - began;
  read_deadline_ = Clock::time_point::max();
  idle_since_ = Clock::now();
  unread_ = BytesView(buffer_.data(), size);
  co_return !error;
}

asio::awaitable<void> MllpConnection::take(Bytes message) {
  error_code ignored;
  while (!finishing_ && (asking_again_ || full(message.size())))
    co_await changed_.async_wait(redirect_error(use_awaitable, ignored));
  if (finishing_) {
    ++service_->counts.unanswered;
    co_return;
  }
  ++service_->counts.messages;
  auto exchange = std::make_shared<Exchange>();
  in_flight_bytes_ += message.size();
  exchange->message = std::move(message);
  exchanges_.push_back(exchange);
  account();
  hand_over(exchange);
}

void MllpConnection::hand_over(const ExchangePtr& exchange) {
  exchange->state = Exchange::State::waiting;
  const auto reply = [weak = weak_from_this(), exchange](TransportReply outcome) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    // Straight through when we are on the thread already: a hub that is busy at once stops the next message.
    asio::dispatch(self->stream_.get_executor(), [self, exchange, outcome = std::move(outcome)]() mutable {
      self->replied(exchange, std::move(outcome));
    });
  };
  service_->receive(exchange->message, Arrival{SystemClock().now(), peer_, {}}, reply);
}

void MllpConnection::replied(const ExchangePtr& exchange, TransportReply reply) {
  if (reply.busy) {
    exchange->state = Exchange::State::busy;
    if (!asking_again_ && !finishing_) {
      asking_again_ = true;
      asio::co_spawn(
          stream_.get_executor(), [self = shared_from_this()] { return self->ask_again(); }, asio::detached);
    }
  } else {
    exchange->state = Exchange::State::answered;
    exchange->answers = std::move(reply.messages);
  }
  wake();
}

asio::awaitable<void> MllpConnection::ask_again() {
  const auto self = shared_from_this();
  asio::steady_timer pause(stream_.get_executor());
  error_code ignored;
  auto delay = kAskAgainFirst;
  while (!finishing_ && any(Exchange::State::busy)) {
    // What is under way settles first, so that messages reach the hub in their order.
    while (!finishing_ && any(Exchange::State::waiting))
      co_await changed_.async_wait(redirect_error(use_awaitable, ignored));
    pause.expires_after(delay);
    co_await pause.async_wait(redirect_error(use_awaitable, ignored));
    delay = std::min(delay * 2, kAskAgainMax);
    const auto exchanges = exchanges_;
    for (const ExchangePtr& exchange : exchanges) {
      if (finishing_ || exchange->state != Exchange::State::busy) continue;
      ++service_->counts.tried_again;
      hand_over(exchange);
      if (exchange->state == Exchange::State::busy) break;
    }
  }
  asking_again_ = false;
  wake();
}

asio::awaitable<void> MllpConnection::write() {
  const auto self = shared_from_this();
  while (open()) {
    const Bytes answers = answers_in_order();
    if (answers.empty()) {
      if (finished()) break;
      error_code ignored;
      co_await changed_.async_wait(redirect_error(use_awaitable, ignored));
      continue;
    }
    error_code error;
    write_deadline_ = Clock::now() + std::chrono::milliseconds(service_->options.frame_ms);
    co_await asio::async_write(stream_, asio::buffer(answers), redirect_error(use_awaitable, error));
    write_deadline_ = Clock::time_point::max();
    idle_since_ = Clock::now();
    if (error) co_return close();
  }
  if (open() && !reading_) co_await stream_.say_goodbye(kGoodbye);
  close();
}

Bytes MllpConnection::answers_in_order() {
  Bytes out;
  while (!exchanges_.empty() && exchanges_.front()->state == Exchange::State::answered) {
    for (const Bytes& answer : exchanges_.front()->answers) {
      const Bytes framed = mllp_frame(answer);
      out.insert(out.end(), framed.begin(), framed.end());
    }
    in_flight_bytes_ -= exchanges_.front()->message.size();
    exchanges_.pop_front();
    account();
    wake();
  }
  return out;
}

bool MllpConnection::any(Exchange::State state) const {
  return std::any_of(exchanges_.begin(), exchanges_.end(),
                     [state](const ExchangePtr& exchange) { return exchange->state == state; });
}

bool MllpConnection::full(std::size_t message_bytes) const {
  return exchanges_.size() >= service_->options.in_flight_max ||
         (!exchanges_.empty() && in_flight_bytes_ + message_bytes > service_->options.in_flight_bytes_max);
}

bool MllpConnection::finished() const {
  if (finishing_ && !any(Exchange::State::waiting)) return true;  // what is busy now stays unanswered
  return exchanges_.empty() && !reading_;
}

void MllpConnection::wake() { changed_.cancel(); }

void MllpConnection::finish() {
  finishing_ = true;
  error_code ignored;
  stream_.socket().shutdown(PeerStream::Socket::shutdown_receive, ignored);
  wake();
}

void MllpConnection::close() {
  finishing_ = true;
  service_->counts.unanswered += exchanges_.size();
  exchanges_.clear();
  stream_.close();
  wake();
}

std::optional<MllpConnection::Clock::time_point> MllpConnection::idle_since() const {
  const bool writing = write_deadline_ != Clock::time_point::max();
  if (!open() || finishing_ || frames_.inside() || writing || !exchanges_.empty()) return std::nullopt;
  return idle_since_;
}

void MllpConnection::make_room() {
  ++service_->counts.made_room;
  service_->warn(peer_, "too many connections: this one, silent for longest, is closed for another");
  close();
}

void MllpConnection::check(Clock::time_point now) {
  if (now < read_deadline_ && now < write_deadline_) return;
  ++service_->counts.too_slow;
  service_->warn(peer_, "the peer is too slow: the connection is closed");
  close();
}

}  // namespace carehub::adapters
