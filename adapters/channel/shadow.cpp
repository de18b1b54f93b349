#include "adapters/channel/shadow.hpp"

#include <spdlog/spdlog.h>

#include "adapters/formats/json.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/base/utf8.hpp"

namespace carehub::adapters {
namespace {

/// One JSON object on one line, built in order.
class Line {
 public:
  void text(std::string_view name, std::string_view value) { raw(name, json::quoted(value)); }
  void number(std::string_view name, std::uint64_t value) { raw(name, std::to_string(value)); }
  void raw(std::string_view name, std::string_view json) {
    text_ += (text_.size() > 1 ? "," : "") + json::quoted(name) + ":";
    text_ += json;
  }
  std::string object() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

class ShadowRenderer final : public Renderer {
 public:
  ShadowRenderer(const ChannelConfig& config, std::unique_ptr<Renderer> real)
      : channel_(config.name), transport_(config.transport), real_(std::move(real)) {}

  Result<Rendered> render(const wire::DeliveryT& delivery) const override {
    Line line;
    line.number("sequence", delivery.sequence);
    line.text("type", event_type_name(delivery.type));
    line.text("appended_at", to_rfc3339({delivery.appended_at}));
    line.text("recorded_at", to_rfc3339(SystemClock().now()));
    line.number("attempt", delivery.attempt);
    for (const auto& [name, flag] :
         {std::pair{"late", delivery.late}, std::pair{"after_gap", delivery.after_gap},
          std::pair{"replay", delivery.replay}}) {
      if (flag) line.raw(name, "true");
    }
    auto real = real_->render(delivery);
    if (real) {
      real->sequence = delivery.sequence;
      real->appended_at = {delivery.appended_at};
      line.text("id", real->id);
      add_sending(line, *real);
      add_body(line, *real);
    } else {
      spdlog::error("channel={} code=CH-UNRENDERABLE sequence={} {}", channel_, delivery.sequence,
                    real.error().text);
      line.text("error", real.error().text);
    }
    const std::string whole = line.object() + "\n";
    return Rendered{.bytes = Bytes(whole.begin(), whole.end()),
                    .media_type = "application/x-ndjson",
                    .id = real ? real->id : std::string()};
  }

 private:
  void add_sending(Line& line, const Rendered& message) const {
    if (const auto* webhook = std::get_if<WebhookSenderOptions>(&transport_)) {
      line.text("kind", "webhook");
      line.text("method", "POST");
      // A query may hold a key.
      line.text("target", webhook->url.substr(0, webhook->url.find_first_of("?#")));
      Line headers;
      for (const WebhookHeader& header : webhook_headers(*webhook, message, SystemClock().now()))
        headers.text(header.name, header.secret ? "(left out)" : header.value);
      line.raw("headers", headers.object());
    } else if (const auto* folder = std::get_if<FolderWriterOptions>(&transport_)) {
      line.text("kind", "folder");
      line.text("target", folder->directory.string());
      line.text("file", folder_file_name(folder->name, message));
    }
    line.text("media_type", message.media_type);
  }

  static void add_body(Line& line, const Rendered& message) {
    line.number("bytes", message.bytes.size());
    const std::string_view body = text_of(message.bytes);
    if (is_utf8(body)) {
      line.text("body", body);
    } else {
      line.text("body_hex", to_hex(message.bytes));
    }
  }

  std::string channel_;
  TransportConfig transport_;
  std::unique_ptr<Renderer> real_;
};

}  // namespace

std::unique_ptr<Renderer> make_shadow_renderer(const ChannelConfig& config, std::unique_ptr<Renderer> real) {
  return std::make_unique<ShadowRenderer>(config, std::move(real));
}

}  // namespace carehub::adapters
