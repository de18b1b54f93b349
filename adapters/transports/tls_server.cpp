#include "adapters/transports/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <numeric>

namespace carehub::adapters {
namespace {

constexpr std::array<const char*, kTlsRefusals> kCauses = {
    "too slow with the handshake",
    "gone before the handshake was done",
    "what was sent is not TLS",
    "only a TLS version before 1.2",
    "no cipher in common",
    "no client certificate",
    "a client certificate of an unknown authority",
    "a client certificate that has ended, or has not begun",
    "a client certificate for a name that is not in client_names",
    "the client does not accept the listener's certificate",
    "a handshake that failed",
};

const char* words_of(std::size_t cause) { return kCauses.at(cause); }

}  // namespace

Result<std::shared_ptr<TlsServer>> TlsServer::make(std::string channel, TlsOptions options) {
  const Stamp stamp = stamp_of(options);  // before loading: what changes meanwhile is seen later
  auto identity = TlsIdentity::load(options);
  if (!identity) {
    return fail(ErrorKind::invalid,
                "channel " + channel + ": " + identity.error().text + ". " + identity.error().remedy);
  }
  return std::shared_ptr<TlsServer>(
      new TlsServer(std::move(channel), std::move(options), stamp, std::move(*identity)));
}

TlsServer::TlsServer(std::string channel, TlsOptions options, Stamp stamp,
                     std::shared_ptr<const TlsIdentity> identity)
    : channel_(std::move(channel)),
      options_(std::move(options)),
      taken_(stamp),
      seen_(stamp),
      identity_(std::move(identity)) {}

void TlsCounts::add_to(TurnedAwayCounts& turned_away) const {
  for (std::size_t cause = 0; cause < kTlsRefusals; ++cause) {
    switch (static_cast<TlsRefusal>(cause)) {
      case TlsRefusal::no_certificate:
      case TlsRefusal::untrusted:
      case TlsRefusal::out_of_date:
      case TlsRefusal::not_named:
        turned_away[wire::TurnedAway::wrong_certificate] += refused.at(cause);
        break;
      default: turned_away[wire::TurnedAway::no_handshake] += refused.at(cause);
    }
  }
}

void TlsServer::watch(IoThread& io) {
  io.post([&io, weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look(io);
  });
}

void TlsServer::look(IoThread& io) {
  take_changed_files();
  warn_of_expiry();
  summarise();
  io.post_after(options_.look_ms, [&io, weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look(io);
  });
}

TlsServer::Stamp TlsServer::stamp_of(const TlsOptions& options) {
  Stamp stamp{};
  std::size_t at = 0;
  for (const auto& file : {options.certificate_file, options.key_file, options.client_ca_file}) {
    struct stat status{};
    if (!file.empty() && ::stat(file.c_str(), &status) == 0) {
      stamp.at(at) = static_cast<std::int64_t>(status.st_ino);
      stamp.at(at + 1) = status.st_size;
      stamp.at(at + 2) = status.st_ctim.tv_sec;
      stamp.at(at + 3) = status.st_ctim.tv_nsec;
    }
    at += 4;
  }
  return stamp;
}

void TlsServer::take_changed_files() {
  const Stamp now = stamp_of(options_);
  const bool settled = now == seen_;
  seen_ = now;
  if (!settled || now == taken_) return;
  taken_ = now;
  auto identity = TlsIdentity::load(options_);
  if (!identity) {
    spdlog::error(
        "channel={} code=CH-TLS-FILES alarm=true the TLS files were changed and cannot be used, the "
        "certificate before stays: {}. {}",
        channel_, identity.error().text, identity.error().remedy);
    return;
  }
  identity_ = std::move(*identity);
  next_expiry_ = {};
  spdlog::info("channel={} new connections get the certificate that ends at {}", channel_,
               to_rfc3339(identity_->expires_at()));
}

void TlsServer::warn_of_expiry() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_expiry_) return;
  next_expiry_ = now + std::chrono::hours(24);
  const std::string warning = expiry_warning(options_, identity_->expires_at(), SystemClock().now());
  if (!warning.empty()) spdlog::error("channel={} code=CH-TLS-EXPIRES alarm=true {}", channel_, warning);
}

/// A line a minute at most, so that strangers cannot fill the disk.
void TlsServer::summarise() {
  const auto now = std::chrono::steady_clock::now();
  const std::uint64_t all = std::accumulate(counts_.refused.begin(), counts_.refused.end(), std::uint64_t{0});
  if (all == summarised_ || now < next_summary_) return;
  next_summary_ = now + std::chrono::minutes(1);
  summarised_ = all;
  std::string causes;
  for (std::size_t cause = 0; cause < kTlsRefusals; ++cause) {
    if (counts_.refused.at(cause) == 0) continue;
    causes +=
        (causes.empty() ? "" : "; ") + std::to_string(counts_.refused.at(cause)) + " " + words_of(cause);
  }
  spdlog::warn("channel={} clients not let in since the start: {}", channel_, causes);
}

SSL* TlsServer::session() const { return SSL_new(identity_->context()); }

bool TlsServer::knows(const SSL* session) const {
  if (options_.client_ca_file.empty() || options_.client_names.empty()) return true;
  const X509* certificate = SSL_get0_peer_certificate(session);
  return certificate != nullptr && names_one_of(certificate, options_.client_names);
}

void TlsServer::refused(const std::string& peer, TlsRefusal cause) {
  const auto at = static_cast<std::size_t>(cause);
  ++counts_.refused.at(at);
  log_.warn(channel_, peer, words_of(at));
}

TlsRefusal tls_refusal(const SSL* session, unsigned long error) {
  const auto verdict = SSL_get_verify_result(session);
  if (verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID)
    return TlsRefusal::out_of_date;
  // The error may be one of the signature's own, so the verdict comes first.
  if (verdict != X509_V_OK) return TlsRefusal::untrusted;
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return TlsRefusal::other;
  const int reason = ERR_GET_REASON(error);
  switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TlsRefusal::no_certificate;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW: return TlsRefusal::old_version;
    case SSL_R_NO_SHARED_CIPHER: return TlsRefusal::no_cipher;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH: return TlsRefusal::not_tls;
    default: return reason >= SSL_AD_REASON_OFFSET ? TlsRefusal::refused_us : TlsRefusal::other;
  }
}

}  // namespace carehub::adapters
