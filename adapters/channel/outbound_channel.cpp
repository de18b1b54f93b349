#include "adapters/channel/outbound_channel.hpp"

#include <spdlog/spdlog.h>

#include <atomic>

namespace carehub::adapters {

struct OutboundChannel::Impl : std::enable_shared_from_this<OutboundChannel::Impl> {
  void deliver(const std::string& stream, const wire::DeliveryT& delivery) {
    ++received;
    auto rendered = renderer->render(delivery);
    if (!rendered) {
      spdlog::error("channel={} code=CH-UNRENDERABLE sequence={} {}", subscription.name, delivery.sequence,
                    rendered.error().text);
      return answer(stream, delivery.sequence, {ledger::NakKind::rejected, "render", 0});
    }
    rendered->sequence = delivery.sequence;
    rendered->appended_at = {delivery.appended_at};
    if (delivery.replay) rendered->replay = stream;
    sender->send(std::move(*rendered),
                 [weak = weak_from_this(), stream, sequence = delivery.sequence](SendResult result) {
                   if (const auto self = weak.lock()) self->answer(stream, sequence, std::move(result));
                 });
  }

  void answer(const std::string& stream, Sequence sequence, SendResult result) {
    count_and_log(sequence, result);
    if (stopping) return;  // the hub delivers again what was not answered
    hub->answer(stream, {{sequence, result.nak, std::move(result.code), result.retry_after_ms}});
  }

  void count_and_log(Sequence sequence, const SendResult& result) {
    if (!result.nak) {
      ++sent;
      if (down.exchange(false))
        spdlog::info("channel={} the partner takes deliveries again", subscription.name);
    } else if (*result.nak == ledger::NakKind::unavailable) {
      ++unavailable;
      // One line when it goes and one when it is back: a weekend of retries must not fill the disk.
      if (!down.exchange(true)) {
        spdlog::error(
            "channel={} code=CH-PARTNER-DOWN alarm=true reason=\"{}\" the partner takes no deliveries; "
            "they wait in the hub",
            subscription.name, result.code);
      }
    } else {
      ++(*result.nak == ledger::NakKind::rejected ? rejected : failed);
      spdlog::warn(
          "channel={} code=\"{}\" sequence={} {}", subscription.name, result.code, sequence,
          *result.nak == ledger::NakKind::rejected ? "rejected by the partner" : "not taken by the partner");
    }
  }

  client::SubscribeOptions subscription;
  std::unique_ptr<Renderer> renderer;
  std::unique_ptr<Sender> sender;
  client::HubClient* hub = nullptr;
  std::atomic<bool> stopping{false};
  std::atomic<bool> down{false};
  std::atomic<std::uint64_t> received{0}, sent{0}, failed{0}, rejected{0}, unavailable{0};
};

OutboundChannel::OutboundChannel(client::SubscribeOptions subscription, std::unique_ptr<Renderer> renderer,
                                 std::unique_ptr<Sender> sender, client::HubClient& hub)
    : impl_(std::make_shared<Impl>()) {
  impl_->subscription = std::move(subscription);
  impl_->renderer = std::move(renderer);
  impl_->sender = std::move(sender);
  impl_->hub = &hub;
}

OutboundChannel::~OutboundChannel() { stop(); }

const std::string& OutboundChannel::name() const { return impl_->subscription.name; }

Result<void> OutboundChannel::start() {
  const auto weak = std::weak_ptr(impl_);
  const auto deliver = [weak](const std::string& stream, const std::vector<wire::DeliveryT>& deliveries) {
    const auto impl = weak.lock();
    if (!impl || impl->stopping) return;
    for (const wire::DeliveryT& delivery : deliveries) impl->deliver(stream, delivery);
  };
  auto subscription = impl_->subscription;
  subscription.replayed = deliver;
  return impl_->hub->subscribe(
      subscription,
      [deliver, name = subscription.name](const std::vector<wire::DeliveryT>& deliveries) {
        deliver(name, deliveries);
      },
      [weak](Error error) {
        const auto impl = weak.lock();
        if (!impl) return;
        spdlog::error("channel={} code=CH-SUBSCRIPTION-REFUSED alarm=true {}", impl->subscription.name,
                      error.text);
      });
}

void OutboundChannel::stop() {
  impl_->stopping = true;
  impl_->sender->stop();
}

void OutboundChannel::take(const WebhookSecrets& secrets) { impl_->sender->take(secrets); }

OutboundCounts OutboundChannel::counts() const {
  return {impl_->received, impl_->sent, impl_->failed, impl_->rejected, impl_->unavailable};
}

}  // namespace carehub::adapters
