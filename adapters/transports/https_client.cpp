#include "adapters/transports/https_client.hpp"

#include <curl/curl.h>

#include <array>
#include <memory>

namespace carehub::adapters {
namespace {

constexpr long kConnectMs = 4'000;
constexpr long kAnswerMs = 10'000;

struct Free {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  void operator()(char* text) const { curl_free(text); }
};

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kHttpsAnswerBytesMax) return 0;
  body.append(bytes, size * count);
  return size * count;
}

int is_to_stop(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return *static_cast<const std::atomic<bool>*>(flag) ? 1 : 0;
}

/// The host of an https address; empty: it is none.
std::string host_of(const std::string& text) {
  const std::unique_ptr<CURLU, Free> url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return "";
  char* part = nullptr;
  if (curl_url_get(url.get(), CURLUPART_SCHEME, &part, 0) != CURLUE_OK) return "";
  const std::unique_ptr<char, Free> scheme(part);
  if (std::string(part) != "https" || curl_url_get(url.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK)
    return "";
  const std::unique_ptr<char, Free> host(part);
  return part;
}

void say_who_asks(CURL* handle, const HttpsRequest& request) {
  if (!request.bearer.empty()) {
    curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(handle, CURLOPT_XOAUTH2_BEARER, request.bearer.c_str());
  } else if (!request.user.empty()) {
    curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(handle, CURLOPT_USERNAME, request.user.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, request.password.c_str());
  }
}

}  // namespace

Result<HttpsAnswer> ask_https(const HttpsRequest& request) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const std::unique_ptr<CURL, Free> handle(ready ? curl_easy_init() : nullptr);
  if (!handle) return fail(ErrorKind::overloaded, "there is no memory for a connection");
  const std::string host = host_of(request.url);
  if (host.empty()) return fail(ErrorKind::invalid, "this is not an address that begins with https://");
  HttpsAnswer answer;
  CURL* const to = handle.get();
  curl_easy_setopt(to, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(to, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(to, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(to, CURLOPT_CAINFO, request.ca_file.c_str());
    curl_easy_setopt(to, CURLOPT_CAPATH, nullptr);  // and nobody else
  }
  curl_easy_setopt(to, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(to, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(to, CURLOPT_TIMEOUT_MS, kAnswerMs);
  curl_easy_setopt(to, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(to, CURLOPT_WRITEDATA, &answer.body);
  if (request.stop != nullptr) {
    curl_easy_setopt(to, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(to, CURLOPT_XFERINFOFUNCTION, is_to_stop);
    curl_easy_setopt(to, CURLOPT_XFERINFODATA, request.stop);
  }
  say_who_asks(to, request);
  if (request.form) {
    curl_easy_setopt(to, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form->size()));
    curl_easy_setopt(to, CURLOPT_POSTFIELDS, request.form->c_str());
  }
  const std::unique_ptr<curl_slist, Free> headers(curl_slist_append(nullptr, "Accept: application/json"));
  curl_easy_setopt(to, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(to);
  if (code == CURLE_WRITE_ERROR)
    return fail(ErrorKind::overloaded, "the answer of " + host + " is over 256 KiB");
  if (code != CURLE_OK)
    return fail(ErrorKind::unavailable, host + " cannot be asked: " + curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(to, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<std::uint32_t>(status);
  return answer;
}

}  // namespace carehub::adapters
