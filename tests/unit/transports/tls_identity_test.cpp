#include "adapters/transports/tls_identity.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/fakes/tls_peer.hpp"

namespace carehub::adapters {
namespace {

using fakes::CertificateAuthority;
using fakes::Credential;

struct Files {
  Files() { authority.issue({}).write(folder.path() / "hub.pem", folder.path() / "hub.key"); }
  TlsOptions options() const {
    return {.certificate_file = folder.path() / "hub.pem", .key_file = folder.path() / "hub.key"};
  }
  /// The key of the configuration at which the fault is, and what it says.
  static std::string fault(const TlsOptions& options) {
    const auto loaded = TlsIdentity::load(options);
    return loaded ? "" : loaded.error().key + ": " + loaded.error().text + ". " + loaded.error().remedy;
  }

  fakes::TemporaryFolder folder;
  CertificateAuthority authority;
};

TEST_CASE("a certificate with its key is taken, and when it ends is known") {
  const Files files;
  const auto loaded = TlsIdentity::load(files.options());
  REQUIRE(loaded);
  const std::int64_t days = ((*loaded)->expires_at().us - SystemClock().now().us) / kSecondUs / 3600 / 24;
  CHECK(days >= 89);
  CHECK(days <= 90);
}

TEST_CASE("the first certificate of a chain to end is what counts") {
  const Files files;
  const Credential soon = files.authority.issue({.ends_s = 3600});
  soon.write_certificate(files.folder.path() / "between.pem");
  files.folder.append("hub.pem", files.folder.read("between.pem"));
  const auto loaded = TlsIdentity::load(files.options());
  REQUIRE(loaded);
  CHECK((*loaded)->expires_at().us - SystemClock().now().us <= 3600 * kSecondUs);
}

TEST_CASE("what is wrong with the files is said at its key, with the file and the remedy") {
  const Files files;
  const std::string key = (files.folder.path() / "hub.key").string();
  TlsOptions options = files.options();
  CHECK(files.fault(options).empty());
  options.certificate_file = files.folder.path() / "none.pem";
  CHECK(files.fault(options).starts_with(
      "certificate_file: no certificate that is strong enough can be read from "));
  options = files.options();
  options.client_ca_file = options.key_file;
  CHECK(files.fault(options) == "client_ca_file: no certificate can be read from " + key +
                                    ". Give a PEM file of the authorities that vouch for clients");
  ::chmod(key.c_str(), 0640);
  CHECK(files.fault(files.options()) ==
        "key_file: others may read the key " + key + ". Run chmod 600 " + key);
  files.folder.write("hub.key", "no key at all");
  ::chmod(key.c_str(), 0600);
  CHECK(files.fault(files.options()).starts_with("key_file: no private key can be read from " + key));
  CHECK(files.fault(files.options()).find("no key at all") == std::string::npos);
}

TEST_CASE("a key with a passphrase is refused, and nobody is asked for it") {
  const Files files;
  const Credential own = files.authority.issue({});
  own.write(files.folder.path() / "hub.pem", files.folder.path() / "hub.key");
  const std::string key = (files.folder.path() / "hub.key").string();
  std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new_file(key.c_str(), "w"), BIO_free);
  const std::string passphrase = "secret";
  PEM_write_bio_PrivateKey(out.get(), own.key.get(), EVP_aes_128_cbc(),
                           reinterpret_cast<const unsigned char*>(passphrase.data()),
                           static_cast<int>(passphrase.size()), nullptr, nullptr);
  out.reset();
  CHECK(files.fault(files.options()).starts_with("key_file: no private key can be read from "));
}

TEST_CASE("the key of another certificate is refused") {
  const Files files;
  files.authority.issue({}).write_certificate(files.folder.path() / "hub.pem");
  CHECK(files.fault(files.options()).find(" does not belong to the certificate ") != std::string::npos);
}

TEST_CASE("a certificate is for its DNS names and URIs, or its common name where it has neither") {
  const CertificateAuthority authority;
  const auto is_for = [&authority](const CertificateAuthority::Wanted& wanted, const std::string& name) {
    return names_one_of(authority.issue(wanted).certificate.get(), {"nobody.example", name});
  };
  CHECK(is_for({.alternative_names = "DNS:pas.elwick.example"}, "PAS.Elwick.example"));
  CHECK(is_for({.alternative_names = "DNS:a.example,URI:urn:elwick"}, "urn:elwick"));
  CHECK(is_for({.common_name = "elwick-pas"}, "elwick-pas"));
  CHECK(is_for({.common_name = "elwick-pas", .alternative_names = "IP:10.0.0.1"}, "elwick-pas"));
  CHECK_FALSE(is_for({.common_name = "elwick-pas", .alternative_names = "DNS:a.example"}, "elwick-pas"));
  CHECK_FALSE(is_for({.alternative_names = "DNS:*.elwick.example"}, "pas.elwick.example"));
  CHECK_FALSE(is_for({.common_name = "elwick-pas"}, "elwick-pa"));
}

TEST_CASE("a certificate that has ended, or ends within 30 days, is warned of") {
  const TlsOptions options{.certificate_file = "hub.pem"};
  const std::int64_t day = std::int64_t{24} * 3600 * kSecondUs;
  const Timestamp now{1'800'000'000 * kSecondUs};
  CHECK(expiry_warning(options, {now.us + 31 * day}, now).empty());
  CHECK(expiry_warning(options, {now.us + 30 * day}, now) ==
        "the certificate in hub.pem ends at 2027-02-14T08:00:00.000Z: put a new one in its place");
  CHECK(expiry_warning(options, {now.us - day}, now)
            .starts_with("the certificate in hub.pem ended at 2027-01-14"));
}

}  // namespace
}  // namespace carehub::adapters
