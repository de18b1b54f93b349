#include <catch2/catch.hpp>

#include "adapters/transports/webhook_sender.hpp"

namespace carehub::adapters {
namespace {

using ledger::NakKind;

TEST_CASE("an answer is taken by what it says about message, endpoint and moment") {
  struct Case {
    unsigned status;
    std::optional<NakKind> nak;
  };
  const std::vector<Case> cases{
      {200, std::nullopt},         {202, std::nullopt},         {204, std::nullopt},
      {409, std::nullopt},         {301, NakKind::unavailable}, {307, NakKind::unavailable},
      {400, NakKind::rejected},    {413, NakKind::rejected},    {415, NakKind::rejected},
      {422, NakKind::rejected},    {401, NakKind::unavailable}, {403, NakKind::unavailable},
      {404, NakKind::unavailable}, {405, NakKind::unavailable}, {410, NakKind::unavailable},
      {429, NakKind::unavailable}, {503, NakKind::unavailable}, {408, NakKind::failed},
      {425, NakKind::failed},      {500, NakKind::failed},      {502, NakKind::failed},
      {504, NakKind::failed},      {999, NakKind::unavailable},
  };
  for (const Case& example : cases) {
    INFO(example.status);
    CHECK(webhook_result(example.status, "", {}).nak == example.nak);
  }
}

TEST_CASE("the time to wait is read as seconds or as a date, and is bounded") {
  const Timestamp now{1'772'357'400 * kSecondUs};  // Sun, 01 Mar 2026 09:30:00 GMT
  CHECK(webhook_result(503, "120", now).retry_after_ms == 120'000);
  CHECK(webhook_result(429, "Sun, 01 Mar 2026 09:30:05 GMT", now).retry_after_ms == 5'000);
  CHECK(webhook_result(429, "Sun, 01 Mar 2026 09:29:00 GMT", now).retry_after_ms == 0);
  CHECK(webhook_result(503, "999999999", now).retry_after_ms == 3'600'000);
  CHECK(webhook_result(503, "-5", now).retry_after_ms == 0);
  CHECK(webhook_result(503, "soon", now).retry_after_ms == 0);
}

TEST_CASE("a signature is what the Standard Webhooks specification gives for its example") {
  const auto key = signing_key_from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  REQUIRE(key);
  CHECK(key->size() == 24);
  CHECK(webhook_signature(*key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                          bytes_of(R"({"test": 2432232314})")) ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("while a partner changes keys each signs, up to the last day of the old one") {
  const Timestamp last_day{1'772'357'400 * kSecondUs};  // 2026-03-01
  const Timestamp after{last_day.us + std::int64_t{24} * 3600 * kSecondUs};
  const Bytes old_key(32, 1);
  const Bytes new_key(32, 2);
  WebhookSenderOptions options;
  options.signing_keys = {{old_key, "2026-03-01"}, {new_key}};
  Rendered message;
  message.id = "id-1";
  message.bytes = {'{', '}'};
  const auto signatures_at = [&](Timestamp now) {
    for (const WebhookHeader& header : webhook_headers(options, message, now))
      if (header.name == "webhook-signature") return header.value;
    return std::string();
  };
  const auto by = [&](const Bytes& key, Timestamp now) {
    return webhook_signature(key, "id-1", now.us / kSecondUs, message.bytes);
  };
  CHECK(signatures_at(last_day) == by(old_key, last_day) + " " + by(new_key, last_day));
  CHECK(signatures_at(after) == by(new_key, after));
}

TEST_CASE("what is not a webhook secret is refused") {
  for (const char* secret :
       {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short===", "whsec_!!!!!!!!", "whsec_AAAA",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_    ", "whsec_    MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw    ", "whsec_MfKQ9r8GKYqr=wjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA===", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAB=="}) {
    INFO(secret);
    CHECK_FALSE(signing_key_from(secret));
  }
}

TEST_CASE("a webhook's URL is http or https with a host and no password") {
  for (const char* url :
       {"http://127.0.0.1:8091/duty-desk", "https://desk.example", "https://[::1]:8443/a?b=c"}) {
    INFO(url);
    CHECK(check_webhook_url(url));
  }
  for (const char* url :
       {"", "desk.example", "ftp://desk.example/", "http://", "http:///x", "https://me:pw@desk.example/",
        "http://desk.example:0/", "http://desk.example/a b"}) {
    INFO(url);
    CHECK_FALSE(check_webhook_url(url));
  }
}

}  // namespace
}  // namespace carehub::adapters
