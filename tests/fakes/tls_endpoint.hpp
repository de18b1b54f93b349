#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "tests/fakes/tcp_peer.hpp"

namespace carehub::fakes {

/// An HTTPS endpoint on 127.0.0.1 with a certificate of its own making, for the subject alternative name that
/// a test gives ("IP:127.0.0.1"). It answers every request with 200, or with what the test says: the bytes of
/// an answer and nothing else, after which it closes.
class TlsEndpoint {
 public:
  /// Hears a request whole: its head, an empty line, its body.
  using Respond = std::function<std::string(const std::string& request)>;

  TlsEndpoint(
      const std::string& alternative_name, const std::filesystem::path& certificate_file,
      Respond respond = [](const std::string&) { return answer("200 OK", "", {}); })
      : respond_(std::move(respond)) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL, and a client may have gone
    key_.reset(EVP_EC_gen("P-256"));
    certificate_.reset(X509_new());
    X509* certificate = certificate_.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key_.get());
    X509_NAME* name = X509_get_subject_name(certificate);
    const std::string common_name = "partner";
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, bytes(common_name), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key_.get(), EVP_sha256());
    std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(certificate_file.c_str(), "w"), BIO_free);
    PEM_write_bio_X509(out.get(), certificate);
    server_ = std::thread([this] { serve(); });
  }
  ~TlsEndpoint() {
    stopping_ = true;
    listener_.stop();
    server_.join();
  }

  std::string url() const { return "https://127.0.0.1:" + std::to_string(listener_.port()) + "/"; }
  int requests() const { return requests_; }

  static std::string answer(const std::string& status, const std::string& body,
                            const std::string& headers = {}) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n" + headers + "\r\n" + body;
  }

 private:
  static bool is_whole(const std::string& request) {
    const auto end = request.find("\r\n\r\n");
    const auto length = request.find("Content-Length: ");
    if (end == std::string::npos) return false;
    return length > end || request.size() >= end + 4 + std::stoul(request.substr(length + 16));
  }
  static const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.c_str());
  }
  void serve() {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    SSL_CTX_use_certificate(context.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context.get(), key_.get());
    while (!stopping_) {
      const int fd = listener_.accept();
      if (fd < 0) break;
      std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
      SSL_set_fd(tls.get(), fd);
      if (SSL_accept(tls.get()) == 1) answer_one(tls.get());
      ::close(fd);
    }
  }
  void answer_one(SSL* tls) {
    std::string request;
    do {
      std::array<char, 65536> buffer;
      const int count = SSL_read(tls, buffer.data(), static_cast<int>(buffer.size()));
      if (count <= 0) return;
      request.append(buffer.data(), static_cast<std::size_t>(count));
    } while (!is_whole(request));
    ++requests_;
    const std::string said = respond_(request);
    SSL_write(tls, said.data(), static_cast<int>(said.size()));
    SSL_shutdown(tls);
  }

  Respond respond_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{nullptr, EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate_{nullptr, X509_free};
  TcpListener listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> requests_{0};
  std::thread server_;
};

}  // namespace carehub::fakes
