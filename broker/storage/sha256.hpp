#pragma once

#include <initializer_list>
#include <memory>

#include "broker/base/bytes.hpp"

namespace carehub::storage {

/// SHA-256 (FIPS 180-4) of the parts one after the other. Thread-safe.
Hash sha256(std::initializer_list<BytesView> parts);

/// HMAC-SHA-256 (RFC 2104) under one key after the other; what it knows of a key is wiped when it goes away.
class HmacSha256 {
 public:
  HmacSha256();
  ~HmacSha256();
  HmacSha256(const HmacSha256&) = delete;
  HmacSha256& operator=(const HmacSha256&) = delete;

  /// At most 64 bytes.
  void set_key(BytesView key);
  /// For when there is a key.
  Hash of(BytesView data) const;

 private:
  struct States;
  std::unique_ptr<States> states_;
};

}  // namespace carehub::storage
