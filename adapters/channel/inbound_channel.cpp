#include "adapters/channel/inbound_channel.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <map>
#include <mutex>

#include "adapters/channel/door_report.hpp"

namespace carehub::adapters {
namespace {

// Of one message: a file of a hundred thousand rows leaves room in the client's queue.
constexpr std::size_t kInFlightMax = limits::kClientPublishQueueMax / 2;
constexpr std::uint32_t kTryAgainMs = 50;
constexpr std::size_t kRefusalLinesMax = 20;    // a message; the rest is one line with their number
constexpr std::size_t kLeftOutPlacesMax = 100;  // a channel; the rest is counted alone

struct AtomicCounts {
  std::atomic<std::uint64_t> received{0}, busy{0}, accepted{0}, duplicates{0}, not_kept{0}, refused{0},
      problems{0}, ignored{0}, left_out{0};
};

/// Text for one place of one log line: a partner's message must not begin a line of its own.
std::string on_one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '"' || c == '\x7f'; }, '?');
  return out;
}

bool passes(ErrorKind kind) { return kind == ErrorKind::overloaded || kind == ErrorKind::unavailable; }

/// What the messages of one channel share; it lives as long as the last of them.
struct Shared {
  std::string name;
  Unmappable unmappable = Unmappable::refuse;
  std::unique_ptr<InboundTransport> transport;
  std::unique_ptr<Interpreter> interpreter;
  client::HubClient* hub = nullptr;
  IoThread* io = nullptr;
  AtomicCounts counts;
  std::atomic<bool> stopping{false};
  std::mutex left_out_mutex;  // a transport may hand over from several threads
  std::map<std::string, std::uint64_t> left_out;

  /// A line at the first, second, fourth, eighth time of a place: a code that a table lacks is seen, and a
  /// feed full of it does not fill the log.
  void count_left_out(const std::vector<std::string>& places) {
    counts.left_out += places.size();
    for (const std::string& place : places) {
      std::uint64_t times = 0;
      {
        const std::lock_guard lock(left_out_mutex);
        if (left_out.size() >= kLeftOutPlacesMax && !left_out.contains(place)) continue;
        times = ++left_out[place];
      }
      if (!std::has_single_bit(times)) continue;
      spdlog::warn(
          "channel={} code=CH-LEFT-OUT alarm=true place=\"{}\" times={} a value could not be read and was "
          "left "
          "out: add its code to the channel's overrides, or have it corrected",
          name, on_one_line(place), times);
    }
  }
};

/// One message on its way into the hub. Results come from the client's thread while publications leave from
/// another, so a mutex guards it; it is never held while somebody else's code runs.
class Passage : public std::enable_shared_from_this<Passage> {
 public:
  Passage(std::shared_ptr<Shared> channel, std::unique_ptr<InboundMessage> message,
          std::function<void(TransportReply)> reply)
      : channel_(std::move(channel)),
        message_(std::move(message)),
        reply_(std::move(reply)),
        publications_(message_->take_publications()),
        results_(publications_.size()),
        problems_(publications_.size()) {
    for (std::size_t i = 0; i < publications_.size(); ++i)
      problems_[i] = publications_[i].problem.has_value();
  }

  /// Publishes what has not been published, as far as the hub's queue has room.
  void publish() {
    for (;;) {
      std::size_t index = 0;
      {
        const std::lock_guard lock(mutex_);
        if (publishing_ || gave_up_ || next_ == publications_.size() || in_flight_ >= kInFlightMax) break;
        gave_up_ =
            channel_->stopping;  // what has gone is known again by its identity when it all comes again
        if (gave_up_) break;
        publishing_ = true;
        index = next_++;
        ++in_flight_;
      }
      const bool taken = publish_one(index);
      const std::lock_guard lock(mutex_);
      publishing_ = false;
      if (taken) continue;
      --next_;
      --in_flight_;
      // Some of it has gone already: the rest follows. Nothing has: the transport keeps the message.
      if (next_ == 0) {
        gave_up_ = true;
      } else if (in_flight_ == 0) {
        channel_->io->post_after(kTryAgainMs, [self = shared_from_this()] { self->publish(); });
      }
      break;
    }
    finish_when_done();
  }

 private:
  /// False: the hub's queue is full.
  bool publish_one(std::size_t index) {
    const auto done = [self = shared_from_this(), index](client::PublishResult result) {
      self->completed(index, std::move(result));
    };
    client::Publication& publication = publications_[index];
    auto taken = channel_->hub->publish(publication, done);
    if (taken) {
      publication = {};
      return true;
    }
    if (passes(taken.error().kind)) return false;
    // It can never be sent as it is (too large, say): that is a problem of the message, and kept as one.
    spdlog::error("channel={} code=CH-UNSENDABLE a publication is refused by the client: {}", channel_->name,
                  taken.error().text);
    client::Publication instead;
    instead.channel = publication.channel;
    instead.original_media_type = publication.original_media_type;
    wire::ProblemT problem;
    problem.code = "unsendable";
    problem.text = taken.error().text;
    instead.problem = std::move(problem);
    taken = channel_->hub->publish(instead, done);
    if (taken) publication = {};
    return taken.has_value();
  }

  void completed(std::size_t index, client::PublishResult result) {
    bool more = false;
    {
      const std::lock_guard lock(mutex_);
      results_[index] = std::move(result);
      --in_flight_;
      more = next_ < publications_.size() && !gave_up_;
    }
    // The client's thread must not loop through a file's rows: they leave from the IoThread.
    if (more) {
      channel_->io->post([self = shared_from_this()] { self->publish(); });
    } else {
      finish_when_done();
    }
  }

  void finish_when_done() {
    {
      const std::lock_guard lock(mutex_);
      const bool all_gone = next_ == publications_.size() || gave_up_;
      if (finished_ || publishing_ || in_flight_ > 0 || !all_gone) return;
      finished_ = true;
    }
    const auto failed = [](const client::PublishResult& result) {
      return std::holds_alternative<Error>(result);
    };
    const auto error = std::find_if(results_.begin(), results_.end(), failed);
    if (gave_up_ || error != results_.end()) {
      ++channel_->counts.busy;
      if (!gave_up_) report_failure(std::get<Error>(*error));
      reply_({.busy = true, .messages = {}, .results = {}});
      return;
    }
    count_and_log();
    channel_->counts.ignored += message_->ignored();
    channel_->count_left_out(message_->left_out());
    TransportReply reply;
    reply.messages = message_->answer(results_);
    reply.results = std::move(results_);
    // To a transport, what the pack makes nothing of is knowingly not kept, and no error of the sender's.
    reply.results.resize(reply.results.size() + message_->ignored(),
                         client::NotKept{"the mapping pack makes nothing of such a message"});
    reply_(std::move(reply));
  }

  void report_failure(const Error& error) const {
    if (passes(error.kind)) return;  // passing trouble of ours: the client says when the hub is away
    spdlog::error("channel={} code=CH-HUB the hub did not decide about a message: {}", channel_->name,
                  error.text);
  }

  void count_and_log() const {
    std::size_t refusals = 0;
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (problems_[i]) ++channel_->counts.problems;
      if (const auto* receipt = std::get_if<client::Receipt>(&results_[i])) {
        ++(receipt->duplicate ? channel_->counts.duplicates : channel_->counts.accepted);
      } else if (std::holds_alternative<client::NotKept>(results_[i])) {
        ++channel_->counts.not_kept;
      } else if (const auto* refused = std::get_if<client::Refused>(&results_[i])) {
        ++channel_->counts.refused;
        if (++refusals <= kRefusalLinesMax) log_refusal(*refused, problems_[i]);
      }
    }
    if (refusals > kRefusalLinesMax) {
      spdlog::warn("channel={} and {} more refusals of the same message", channel_->name,
                   refusals - kRefusalLinesMax);
    }
  }

  void log_refusal(const client::Refused& refused, bool problem) const {
    const std::string code = on_one_line(refused.code);
    const std::string place = on_one_line(refused.place);
    if (problem && channel_->unmappable == Unmappable::keep) {
      spdlog::error(
          "channel={} code=CH-UNMAPPABLE alarm=true reason={} place=\"{}\" sequence={} a message was "
          "acknowledged and kept, but could not be mapped: mend the pack and send it again",
          channel_->name, code, place, refused.sequence);
    } else {
      spdlog::warn("channel={} code={} place=\"{}\" sequence={} refused", channel_->name, code, place,
                   refused.sequence);
    }
  }

  std::shared_ptr<Shared> channel_;
  std::unique_ptr<InboundMessage> message_;
  std::function<void(TransportReply)> reply_;
  std::vector<client::Publication> publications_;
  std::vector<client::PublishResult> results_;
  std::vector<bool> problems_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::size_t in_flight_ = 0;
  bool publishing_ = false;
  bool gave_up_ = false;
  bool finished_ = false;
};

}  // namespace

struct InboundChannel::Impl : Shared, std::enable_shared_from_this<InboundChannel::Impl> {
  std::uint32_t report_ms = 0;
  std::shared_ptr<DoorReport> report;

  void report_soon() {
    io->post_after(report_ms, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->stopping) return;
      self->report->turned_away(self->transport->turned_away());
      self->report_soon();
    });
  }
};

InboundChannel::InboundChannel(std::string name, Unmappable unmappable,
                               std::unique_ptr<InboundTransport> transport,
                               std::unique_ptr<Interpreter> interpreter, client::HubClient& hub, IoThread& io,
                               std::uint32_t report_ms)
    : impl_(std::make_shared<Impl>()) {
  impl_->name = std::move(name);
  impl_->unmappable = unmappable;
  impl_->transport = std::move(transport);
  impl_->interpreter = std::move(interpreter);
  impl_->hub = &hub;
  impl_->io = &io;
  impl_->report_ms = report_ms;
  impl_->report = std::make_shared<DoorReport>(
      impl_->name, hub, [&io](std::function<void()> work) { io.post(std::move(work)); });
}

InboundChannel::~InboundChannel() { stop(); }

const std::string& InboundChannel::name() const { return impl_->name; }

Result<void> InboundChannel::start() {
  // Weak: the transport, which the channel owns, must not keep the channel alive.
  auto started = impl_->transport->start(
      [weak = std::weak_ptr(impl_)](Bytes message, const Arrival& arrival, auto reply) {
        const auto impl = weak.lock();
        if (!impl || impl->stopping) return reply({.busy = true, .messages = {}, .results = {}});
        ++impl->counts.received;
        auto interpreted = impl->interpreter->interpret(std::move(message), arrival);
        std::make_shared<Passage>(impl, std::move(interpreted), std::move(reply))->publish();
      });
  if (started) impl_->report_soon();
  return started;
}

void InboundChannel::stop() {
  impl_->stopping = true;
  impl_->transport->stop();
}

void InboundChannel::allow(const std::vector<HttpToken>& tokens) { impl_->transport->allow(tokens); }

InboundCounts InboundChannel::counts() const {
  const AtomicCounts& counts = impl_->counts;
  return {counts.received, counts.busy,     counts.accepted, counts.duplicates, counts.not_kept,
          counts.refused,  counts.problems, counts.ignored,  counts.left_out};
}

}  // namespace carehub::adapters
