#include "adapters/transports/tls_identity.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "broker/base/secret_file.hpp"

namespace carehub::adapters {
namespace {

constexpr std::int64_t kWarnBeforeUs = std::int64_t{30} * 24 * 3600 * kSecondUs;
constexpr int kChainMax = 4;  // certificates between a client's and its root
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

using Fault = tl::unexpected<TlsFault>;
using File = std::unique_ptr<BIO, decltype(&BIO_free)>;

Fault fault(std::string key, std::string text, std::string remedy) {
  ERR_clear_error();
  return Fault(TlsFault{std::move(key), std::move(text), std::move(remedy)});
}

/// Without it OpenSSL asks at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Timestamp end_of(const X509* certificate) {
  std::tm at{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &at) != 1) return {};
  return {std::int64_t{::timegm(&at)} * kSecondUs};
}

Timestamp first_end(SSL_CTX* context) {
  Timestamp first = end_of(SSL_CTX_get0_certificate(context));
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, static_cast<void*>(&chain));
  for (int i = 0; i < sk_X509_num(chain); ++i) first = std::min(first, end_of(sk_X509_value(chain, i)));
  return first;
}

void set_rules(SSL_CTX* context) {
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kCiphers);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // a silent connection holds none
}

tl::expected<void, TlsFault> use_key(SSL_CTX* context, const TlsOptions& options) {
  const std::string file = options.key_file.string();
  if (is_open_to_others(options.key_file))
    return fault("key_file", "others may read the key " + file, "Run chmod 600 " + file);
  const File in(BIO_new_file(file.c_str(), "r"), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr) : nullptr, EVP_PKEY_free);
  if (!key) {
    return fault("key_file", "no private key can be read from " + file,
                 "Give a PEM file with a key that has no passphrase, and let this user alone read it");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1) return {};
  return fault("key_file",
               "the key " + file + " does not belong to the certificate " +
                   options.certificate_file.string() + ", or is too weak",
               "Give the key that the certificate was asked for with: RSA of 2048 bits or more, or EC");
}

tl::expected<void, TlsFault> use_clients(SSL_CTX* context, const TlsOptions& options) {
  if (options.client_ca_file.empty()) return {};
  const std::string file = options.client_ca_file.string();
  STACK_OF(X509_NAME)* authorities = SSL_load_client_CA_file(file.c_str());
  if (authorities == nullptr || SSL_CTX_load_verify_file(context, file.c_str()) != 1) {
    sk_X509_NAME_pop_free(authorities, X509_NAME_free);
    return fault("client_ca_file", "no certificate can be read from " + file,
                 "Give a PEM file of the authorities that vouch for clients");
  }
  SSL_CTX_set_client_CA_list(context, authorities);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context, kChainMax);
  return {};
}

bool same(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(a) == lower(b);
  });
}

std::string_view text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> alternatives(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == GEN_DNS) names.emplace_back(text_of(name->d.dNSName));
    if (name->type == GEN_URI) names.emplace_back(text_of(name->d.uniformResourceIdentifier));
  }
  if (!names.empty()) return names;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
    names.emplace_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return names;
}

}  // namespace

tl::expected<std::shared_ptr<const TlsIdentity>, TlsFault> TlsIdentity::load(const TlsOptions& options) {
  ERR_clear_error();
  Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return fault("", "OpenSSL gives no TLS context", "Give the process more memory");
  set_rules(context.get());
  const std::string file = options.certificate_file.string();
  if (SSL_CTX_use_certificate_chain_file(context.get(), file.c_str()) != 1) {
    return fault("certificate_file", "no certificate that is strong enough can be read from " + file,
                 "Give a PEM file: the listener's certificate, then those between it and its root");
  }
  if (auto key = use_key(context.get(), options); !key) return Fault(key.error());
  if (auto clients = use_clients(context.get(), options); !clients) return Fault(clients.error());
  const Timestamp expires_at = first_end(context.get());
  return std::shared_ptr<const TlsIdentity>(new TlsIdentity(std::move(context), expires_at));
}

bool names_one_of(const X509* certificate, const std::vector<std::string>& names) {
  return std::ranges::any_of(names_of(certificate), [&names](const std::string& shown) {
    return std::ranges::any_of(names, [&shown](const std::string& name) { return same(shown, name); });
  });
}

std::string expiry_warning(const TlsOptions& options, Timestamp expires_at, Timestamp now) {
  if (expires_at.us - now.us > kWarnBeforeUs) return {};
  const bool over = expires_at <= now;
  return "the certificate in " + options.certificate_file.string() + (over ? " ended at " : " ends at ") +
         to_rfc3339(expires_at) + ": put a new one in its place" + (over ? "; partners refuse this one" : "");
}

}  // namespace carehub::adapters
