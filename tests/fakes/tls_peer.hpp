#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tests/fakes/tcp_peer.hpp"

namespace carehub::fakes {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

/// A certificate and its key.
struct Credential {
  Key key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  Certificate certificate{X509_new(), X509_free};

  long serial() const { return ASN1_INTEGER_get(X509_get0_serialNumber(certificate.get())); }
  /// PEM files, the key for this user alone.
  void write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const {
    write_certificate(certificate_file);
    const std::string being_written = key_file.string() + ".writing";
    std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(being_written.c_str(), "w"), BIO_free);
    PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    out.reset();
    ::chmod(being_written.c_str(), S_IRUSR | S_IWUSR);
    std::filesystem::rename(being_written, key_file);
  }
  void write_certificate(const std::filesystem::path& file) const {
    const std::string being_written = file.string() + ".writing";
    std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(being_written.c_str(), "w"), BIO_free);
    PEM_write_bio_X509(out.get(), certificate.get());
    out.reset();
    std::filesystem::rename(being_written, file);
  }
};

/// Signs certificates of elliptic curve keys, made anew for each test.
class CertificateAuthority {
 public:
  struct Wanted {
    std::string common_name = "elwick-pas";
    std::string alternative_names = {};  // "DNS:pas.elwick.example,URI:urn:elwick"
    long serial = 1;
    long begins_s = -3600;  // from now
    long ends_s = std::int64_t{90} * 24 * 3600;
  };

  explicit CertificateAuthority(const std::string& name = "test authority") {
    sign(root_, {.common_name = name, .serial = 7}, root_, "CA:TRUE");
  }

  Credential issue(const Wanted& wanted) const {
    Credential made;
    sign(made, wanted, root_, "CA:FALSE");
    return made;
  }
  void write(const std::filesystem::path& file) const { root_.write_certificate(file); }

 private:
  static void add(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static void sign(const Credential& subject, const Wanted& wanted, const Credential& issuer,
                   const std::string& constraints) {
    X509* certificate = subject.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), wanted.serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.begins_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.ends_s);
    X509_set_pubkey(certificate, subject.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
    add(certificate, NID_basic_constraints, constraints);
    if (!wanted.alternative_names.empty()) add(certificate, NID_subject_alt_name, wanted.alternative_names);
    X509_sign(certificate, issuer.key.get(), EVP_sha256());
  }

  Credential root_;
};

/// The client's side of a TLS connection to 127.0.0.1, in OpenSSL's own blocking calls, so that tests do not
/// share code with what they test. It takes any server's certificate.
class TlsPeer {
 public:
  /// Without a credential it shows none. `version`: of TLS, where there is to be no other.
  static TlsPeer connect(std::uint16_t port, const Credential* shown = nullptr,
                         std::optional<int> version = std::nullopt) {
    return {port, shown, version};
  }
  TlsPeer(TlsPeer&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), met_(other.met_) {}
  ~TlsPeer() {
    tls_.reset();
    if (fd_ >= 0) ::close(fd_);
  }

  /// Whether the handshake was done as far as this side can see: with TLS 1.3 the server may still refuse.
  bool met() const { return met_; }
  bool send(std::string_view bytes) {
    return met_ && SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  /// What came up to and including `end`, or until the other side closed.
  std::string receive_until(std::string_view end) {
    std::string all;
    std::array<char, 4096> buffer{};
    while (met_ && all.find(end) == std::string::npos) {
      const int size = SSL_read(tls_.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (size <= 0) break;
      all.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return all;
  }
  std::string ask(std::string_view bytes, std::string_view end) {
    send(bytes);
    return receive_until(end);
  }
  /// Whether the other side has said that nothing more comes; to be asked when all is received.
  bool told_goodbye() const { return (SSL_get_shutdown(tls_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  void say_goodbye() { SSL_shutdown(tls_.get()); }
  std::string version() const { return SSL_get_version(tls_.get()); }
  std::string cipher() const { return SSL_get_cipher_name(tls_.get()); }
  long server_serial() const {
    const X509* certificate = SSL_get0_peer_certificate(tls_.get());
    return certificate == nullptr ? 0 : ASN1_INTEGER_get(X509_get0_serialNumber(certificate));
  }
  SSL* session() { return tls_.get(); }

 private:
  TlsPeer(std::uint16_t port, const Credential* shown, std::optional<int> version)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{120, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                    SSL_CTX_free);
    if (version) {  // an old one is offered by nobody who cares about security
      SSL_CTX_set_security_level(context.get(), 0);
      SSL_CTX_set_min_proto_version(context.get(), *version);
      SSL_CTX_set_max_proto_version(context.get(), *version);
    }
    if (shown != nullptr) {
      SSL_CTX_use_certificate(context.get(), shown->certificate.get());
      SSL_CTX_use_PrivateKey(context.get(), shown->key.get());
    }
    tls_.reset(SSL_new(context.get()));
    SSL_set_fd(tls_.get(), fd_);
    met_ = SSL_connect(tls_.get()) == 1;
    ERR_clear_error();
  }

  int fd_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, SSL_free};
  bool met_ = false;
};

}  // namespace carehub::fakes
