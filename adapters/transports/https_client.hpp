#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/base/result.hpp"

namespace carehub::adapters {

struct HttpsRequest {
  std::string url;                          // https://
  std::optional<std::string> form = {};     // POST of these form fields; nullopt: GET
  std::string bearer = {};                  // token, where one is wanted
  std::string user = {}, password = {};     // HTTP Basic, where it is wanted
  std::string ca_file = {};                 // PEM of whom to trust; empty: whom the system trusts
  const std::atomic<bool>* stop = nullptr;  // ends the call soon after it is true
};

struct HttpsAnswer {
  std::uint32_t status = 0;
  std::string body;
};

/// Asks a server over TLS 1.2 or 1.3 whose certificate is good for its name, and waits for the whole answer.
/// No redirect is followed. Error `invalid`: the address is not one. `unavailable`: there is no answer within
/// 10 seconds, or none that can be trusted. `overloaded`: it is over 256 KiB. Errors name the host alone.
Result<HttpsAnswer> ask_https(const HttpsRequest& request);

constexpr std::size_t kHttpsAnswerBytesMax = 256U << 10U;

}  // namespace carehub::adapters
