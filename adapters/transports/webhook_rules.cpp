// What a webhook's answers mean and how it is signed: the pure half of webhook_sender.hpp.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <ctime>

#include "adapters/transports/http_token.hpp"
#include "adapters/transports/webhook_sender.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {
namespace {

constexpr std::uint32_t kRetryAfterMaxMs = 3'600'000;

std::uint32_t retry_after_ms(std::string_view value, Timestamp now) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc{} || end != value.data() + value.size()) {
    std::tm at{};
    const std::string text(value);
    const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &at);
    if (rest == nullptr || *rest != '\0') return 0;
    seconds = std::int64_t{::timegm(&at)} - now.us / kSecondUs;
  }
  const std::int64_t bounded = std::clamp<std::int64_t>(seconds, 0, kRetryAfterMaxMs / 1000);
  return static_cast<std::uint32_t>(bounded * 1000);
}

std::string base64(BytesView bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

Result<void> check_webhook_url(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  const bool http = parsed && (parsed->scheme() == "http" || parsed->scheme() == "https");
  if (!http || parsed->host().empty() || parsed->has_userinfo() ||
      (parsed->has_port() && parsed->port_number() == 0)) {
    return fail(ErrorKind::invalid, "this is not the URL of a webhook: http or https, a host, no user name");
  }
  return {};
}

Result<void> check_webhook_host(const std::string& url, const AddressRules& rules) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return check_webhook_url(url);
  std::string host(parsed->host_address());
  const bool name = parsed->host_type() == boost::urls::host_type::name;
  const bool own_name = host == "localhost" || host.ends_with(".localhost");  // RFC 6761 section 6.3
  if (name && !own_name) return {};
  const std::string_view why = rules.against(own_name ? "127.0.0.1" : host, {});
  if (why.empty()) return {};
  return fail(ErrorKind::invalid,
              "the host " + host + " is " + std::string(why) + ", where nothing is sent to");
}

std::vector<WebhookHeader> webhook_headers(const WebhookSenderOptions& options, const Rendered& message,
                                           Timestamp now) {
  const std::int64_t timestamp_s = now.us / kSecondUs;
  std::vector<WebhookHeader> headers;
  const auto add = [&headers](std::string name, std::string value, bool secret = false) {
    headers.push_back({std::move(name), std::move(value), secret});
  };
  add("Content-Type", message.media_type);
  if (!options.token.empty()) add("Authorization", "Bearer " + options.token, true);
  add("webhook-id", message.id);
  add("webhook-timestamp", std::to_string(timestamp_s));
  if (!message.replay.empty()) add("carehub-replay", message.replay);
  std::string signatures;  // separated by spaces, so that either key of a partner that changes keys fits
  for (const SigningKey& each : options.signing_keys) {
    if (is_over(each.until, now)) continue;
    if (!signatures.empty()) signatures += ' ';
    signatures += webhook_signature(each.key, message.id, timestamp_s, message.bytes);
  }
  if (!signatures.empty()) add("webhook-signature", std::move(signatures));
  return headers;
}

SendResult webhook_result(unsigned status, std::string_view retry_after, Timestamp now) {
  using ledger::NakKind;
  if ((status >= 200 && status < 300) || status == 409) return {};
  SendResult result;
  result.code = "http " + std::to_string(status);
  switch (status) {
    case 401:
    case 403:
    case 404:
    case 405:
    case 407:
    case 410:
    case 429:
    case 503: result.nak = NakKind::unavailable; break;
    case 408:
    case 425: result.nak = NakKind::failed; break;
    default:
      // A redirect, or an answer that HTTP does not know: the endpoint is not what the configuration says.
      result.nak = status < 400 || status > 599 ? NakKind::unavailable
                   : status < 500               ? NakKind::rejected
                                                : NakKind::failed;
  }
  if (result.nak != NakKind::rejected) result.retry_after_ms = retry_after_ms(retry_after, now);
  return result;
}

Result<Bytes> signing_key_from(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  constexpr std::size_t kKeyBytesMin = 24;
  constexpr std::size_t kKeyBytesMax = 64;
  const auto wrong =
      fail(ErrorKind::invalid, "this is not a webhook secret: whsec_ and base64 of 24 to 64 bytes");
  if (!secret.starts_with(kPrefix)) return wrong;
  secret.remove_prefix(kPrefix.size());
  if (secret.empty() || secret.size() % 4 != 0 || secret.size() > 4 * kKeyBytesMax) return wrong;
  Bytes key(secret.size() / 4 * 3);
  const int size = EVP_DecodeBlock(key.data(), bytes_of(secret).data(), static_cast<int>(secret.size()));
  if (size < 0) return wrong;
  // EVP_DecodeBlock counts the padding as zero bytes.
  const auto padding = static_cast<std::size_t>(std::count(secret.end() - 2, secret.end(), '='));
  if (static_cast<std::size_t>(size) < kKeyBytesMin + padding) return wrong;
  key.resize(static_cast<std::size_t>(size) - padding);
  // It passes over blanks and takes = for a zero anywhere: the key would be another than the partner's.
  std::string again = base64(key);
  const bool whole = again == secret;
  wipe(again);
  if (!whole || key.size() > kKeyBytesMax) return wrong;
  return key;
}

std::string webhook_signature(BytesView key, std::string_view id, std::int64_t timestamp_s, BytesView body) {
  std::string content = std::string(id) + "." + std::to_string(timestamp_s) + ".";
  content += text_of(body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(content).data(), content.size(),
       mac.data(), &size);
  return "v1," + base64({mac.data(), size});
}

}  // namespace carehub::adapters
