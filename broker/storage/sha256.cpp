#include "broker/storage/sha256.hpp"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace carehub::storage {

Hash sha256(std::initializer_list<BytesView> parts) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  // A context and the algorithm's look-up cost more than the hash of a short input, so both are kept.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  Hash hash{};
  bool good = context && EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1;
  for (const BytesView part : parts) {
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  }
  good = good && EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) == 1;
  if (!good) {
    static_cast<void>(std::fputs(
        "storage: OpenSSL gives no SHA-256; is a FIPS or legacy provider misconfigured?\n", stderr));
    std::abort();
  }
  return hash;
}

}  // namespace carehub::storage
