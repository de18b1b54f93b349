#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/clock.hpp"
#include "broker/base/result.hpp"

namespace carehub::adapters {

/// How a listener shows who it is, and whom it lets in.
struct TlsOptions {
  std::filesystem::path certificate_file = {};  // PEM: the listener's own, then those between it and its root
  std::filesystem::path key_file = {};          // PEM, without a passphrase
  std::filesystem::path client_ca_file = {};    // PEM; empty: clients are asked for no certificate
  std::vector<std::string> client_names = {};   // empty: every client that the CA vouches for
  std::uint32_t handshake_ms = 10'000;
  std::uint32_t look_ms = 5'000;  // how often the files are looked at
};

/// What is wrong with the files, at the key of the configuration that is to be mended.
struct TlsFault {
  std::string key, text, remedy;
};

/// One certificate with its key and rules, as OpenSSL takes them: TLS 1.2 and 1.3, ciphers with forward
/// secrecy and authentication alone (RFC 9325 section 4.2), no renegotiation, no compression, nothing
/// resumed.
class TlsIdentity {
 public:
  static tl::expected<std::shared_ptr<const TlsIdentity>, TlsFault> load(const TlsOptions& options);

  /// When the first of its own certificates ends.
  Timestamp expires_at() const { return expires_at_; }
  SSL_CTX* context() const { return context_.get(); }

 private:
  using Context = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;
  TlsIdentity(Context context, Timestamp expires_at)
      : context_(std::move(context)), expires_at_(expires_at) {}

  Context context_;
  Timestamp expires_at_;
};

/// Whether a certificate is for one of these names: its DNS names and URIs, or its common name where it has
/// neither (RFC 6125 section 6.4.4). Letters of either case are the same; a wildcard stands for nobody.
bool names_one_of(const X509* certificate, const std::vector<std::string>& names);

/// What to say of a certificate that has ended or ends within 30 days; empty for any other.
std::string expiry_warning(const TlsOptions& options, Timestamp expires_at, Timestamp now);

}  // namespace carehub::adapters
