#include "adapters/channel/shadow.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "adapters/channel/channel_set.hpp"
#include "adapters/formats/json.hpp"
#include "tests/fakes/captured_log.hpp"
#include "tests/fakes/http_endpoint.hpp"
#include "tests/fakes/recording_client.hpp"
#include "tests/fakes/seeded_random.hpp"
#include "tests/fakes/temporary_folder.hpp"

using namespace carehub;
using namespace carehub::adapters;

namespace {

/// Renders what the test says, or nothing.
class TextRenderer final : public Renderer {
 public:
  explicit TextRenderer(std::string text) : text_(std::move(text)) {}
  Result<Rendered> render(const wire::DeliveryT& delivery) const override {
    if (delivery.sequence == 13) return fail(ErrorKind::invalid, "the pack has no row for this");
    return Rendered{Bytes(text_.begin(), text_.end()), "application/json", "e-1"};
  }

 private:
  std::string text_;
};

wire::DeliveryT delivery(Sequence sequence = 17) {
  wire::DeliveryT delivery;
  delivery.sequence = sequence;
  delivery.attempt = 2;
  delivery.appended_at = 1'772'357'400'000'000;
  delivery.type = event::EventType::admission;
  delivery.late = true;
  return delivery;
}

ChannelConfig config(TransportConfig transport) {
  ChannelConfig config;
  config.name = "desk-shadow";
  config.agency = "northmarch-council";
  config.direction = Direction::out;
  config.role = "social-care-duty";
  config.transport = std::move(transport);
  return config;
}

/// The line of a delivery, as JSON.
json::Document line_of(TransportConfig transport, const std::string& body, Sequence sequence = 17) {
  const auto rendered =
      make_shadow_renderer(config(std::move(transport)), std::make_unique<TextRenderer>(body))
          ->render(delivery(sequence));
  REQUIRE(rendered);
  const std::string line(text_of(rendered->bytes));
  CHECK(line.find('\n') == line.size() - 1);
  auto document = json::Document::parse(line);
  REQUIRE(document);
  return std::move(*document);
}

std::string at(const json::Document& document, std::string_view name) {
  const auto value = document.root().member(name);
  return value ? value->scalar() : std::string();
}

}  // namespace

TEST_CASE("a shadow's line says what a webhook would have been sent, without its secrets") {
  WebhookSenderOptions webhook;
  webhook.url = "https://desk.example:8443/events?key=hunter2";
  webhook.token = "a-long-enough-secret";
  webhook.signing_keys = {{Bytes(32, 7)}};
  const auto line = line_of(webhook, "{\"a\":\n\"\xC3\xA9\"}");
  CHECK(at(line, "sequence") == "17");
  CHECK(at(line, "type") == "admission");
  CHECK(at(line, "appended_at") == "2026-03-01T09:30:00.000Z");
  CHECK(at(line, "recorded_at").ends_with("Z"));
  CHECK(at(line, "attempt") == "2");
  CHECK(at(line, "late") == "true");
  CHECK(at(line, "replay").empty());
  CHECK(at(line, "id") == "e-1");
  CHECK(at(line, "kind") == "webhook");
  CHECK(at(line, "method") == "POST");
  CHECK(at(line, "target") == "https://desk.example:8443/events");
  CHECK(at(line, "bytes") == "11");
  CHECK(at(line, "body") == "{\"a\":\n\"\xC3\xA9\"}");
  const auto headers = line.root().member("headers");
  REQUIRE(headers);
  CHECK(headers->member("webhook-id")->scalar() == "e-1");
  CHECK(headers->member("Content-Type")->scalar() == "application/json");
  CHECK(headers->member("Authorization")->scalar() == "(left out)");
  CHECK(headers->member("webhook-signature")->scalar().starts_with("v1,"));
  const std::string whole = line.root().serialized();
  CHECK(whole.find("hunter2") == std::string::npos);
  CHECK(whole.find("long-enough") == std::string::npos);
}

TEST_CASE("a shadow's line says which file would have been written, and bytes that are no text as they are") {
  FolderWriterOptions folder;
  folder.directory = "/srv/school";
  folder.name = "carehub-{date}-{sequence}.csv";
  const auto line = line_of(folder, "caf\xE9");
  CHECK(at(line, "kind") == "folder");
  CHECK(at(line, "target") == "/srv/school");
  CHECK(at(line, "file") == "carehub-2026-03-01-17.csv");
  CHECK(at(line, "body").empty());
  CHECK(at(line, "body_hex") == "636166e9");
}

TEST_CASE("what a shadow cannot render is a line with the reason, and no dead letter") {
  const fakes::CapturedLog log;
  const auto line = line_of(WebhookSenderOptions{.url = "https://desk.example/"}, "", 13);
  CHECK(at(line, "sequence") == "13");
  CHECK(at(line, "error") == "the pack has no row for this");
  CHECK_FALSE(line.root().member("body"));
  CHECK(log.has("channel=desk-shadow code=CH-UNRENDERABLE sequence=13"));
}

TEST_CASE("a shadow never touches its partner, and acks what is safely in its file") {
  const fakes::CapturedLog log;
  fakes::HttpEndpoint partner([](const auto&) { return fakes::HttpEndpoint::answer("204 No Content"); });
  const fakes::TemporaryFolder folder;
  fakes::RecordingClient hub;
  fakes::SeededRandom random(1);
  IoThread io;
  ChannelConfig shadow = config(WebhookSenderOptions{.url = partner.url()});
  shadow.shadow = folder.path();
  const auto channel = make_outbound(shadow, {hub, io, random});
  REQUIRE(channel);
  REQUIRE((*channel)->start());
  CHECK(hub.subscription().name == "desk-shadow");
  std::vector<wire::DeliveryT> deliveries(2);  // without views: neither can be rendered
  deliveries[0].sequence = 17;
  deliveries[1].sequence = 18;
  hub.deliver(std::move(deliveries));
  REQUIRE(fakes::eventually([&] { return hub.answers().size() == 2; }));
  for (const client::Answer& answer : hub.answers()) CHECK_FALSE(answer.nak);
  const auto files = folder.files();
  REQUIRE(files.size() == 1);
  CHECK(files.begin()->starts_with("desk-shadow-"));
  const std::string text = folder.read(*files.begin());
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(text.starts_with("{\"sequence\":17,"));
  (*channel)->stop();
  CHECK(partner.connections() == 0);
  CHECK(log.has("channel=desk-shadow is a shadow: it sends nothing to its partner"));
}
