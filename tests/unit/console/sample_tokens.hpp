#pragma once

#include <cjose/cjose.h>

#include <functional>
#include <memory>
#include <string>

#include "adapters/formats/json.hpp"
#include "broker/base/clock.hpp"

namespace carehub::test {

/// A provider's key, and what it signs.
class SigningKey {
 public:
  explicit SigningKey(cjose_jwk_t* key, const std::string& id) : key_(key, cjose_jwk_release) {
    cjose_err error{};
    cjose_jwk_set_kid(key, id.data(), id.size(), &error);
  }
  static SigningKey rsa(const std::string& id, std::size_t bits = 2'048) {
    cjose_err error{};
    const std::uint8_t exponent[] = {1, 0, 1};
    return SigningKey(cjose_jwk_create_RSA_random(bits, exponent, sizeof exponent, &error), id);
  }
  static SigningKey ec(const std::string& id, cjose_jwk_ec_curve curve = CJOSE_JWK_EC_P_256) {
    cjose_err error{};
    return SigningKey(cjose_jwk_create_EC_random(curve, &error), id);
  }
  static SigningKey shared(const std::string& id, const std::string& bytes) {
    cjose_err error{};
    return SigningKey(
        cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &error),
        id);
  }

  /// Its public part, as a provider publishes it.
  std::string json() const {
    cjose_err error{};
    const std::unique_ptr<char, void (*)(void*)> text(cjose_jwk_to_json(key_.get(), false, &error), free);
    return text.get();
  }
  /// `more`: header fields beyond `alg`; empty value: none.
  std::string sign(const std::string& claims, const std::string& algorithm, const std::string& id,
                   const std::string& critical = "") const {
    cjose_err error{};
    cjose_header_t* header = cjose_header_new(&error);
    cjose_header_set(header, "alg", algorithm.c_str(), &error);
    if (!id.empty()) cjose_header_set(header, "kid", id.c_str(), &error);
    if (!critical.empty()) cjose_header_set_raw(header, "crit", critical.c_str(), &error);
    cjose_jws_t* signature = cjose_jws_sign(
        key_.get(), header, reinterpret_cast<const std::uint8_t*>(claims.data()), claims.size(), &error);
    cjose_header_release(header);
    if (signature == nullptr) return error.message;
    const char* text = nullptr;
    cjose_jws_export(signature, &text, &error);
    std::string token = text;
    cjose_jws_release(signature);
    return token;
  }

 private:
  std::unique_ptr<cjose_jwk_t, bool (*)(cjose_jwk_t*)> key_;
};

inline std::string keys_of(const std::string& keys) { return "{\"keys\":[" + keys + "]}"; }

/// Made once: an RSA key takes its time.
inline const SigningKey& provider_key() {
  static const SigningKey key = SigningKey::rsa("k1");
  return key;
}

}  // namespace carehub::test
