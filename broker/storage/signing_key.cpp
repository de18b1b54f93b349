#include "broker/storage/signing_key.hpp"

#include <sys/stat.h>

#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileBytesMax = 1U << 20U;

/// Empty where there is no such file.
Result<std::string> text_of_file(const fs::path& path) {
  auto file = File::open_to_read(path);
  if (!file && file.error().kind == ErrorKind::not_found) return std::string();
  if (!file) return tl::unexpected(file.error());
  const auto bytes = file->read_at(0, kFileBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  return std::string(text_of(*bytes));
}

std::string last_key(std::string_view listed) {
  std::string last;
  while (!listed.empty()) {
    const auto end = listed.find('\n');
    const std::string_view line = listed.substr(0, end);
    if (!line.empty() && line.front() != '#') last = line;
    listed.remove_prefix(end == std::string_view::npos ? listed.size() : end + 1);
  }
  return last;
}

bool lists(std::string_view listed, const std::string& key) {
  return ("\n" + std::string(listed)).find("\n" + key + "\n") != std::string::npos;
}

Result<CheckpointSigner> read_secret(const fs::path& path, const std::string& origin) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ErrorKind::invalid,
                "others may read the signing key " + path.string() +
                    ": chmod 600 it, and think about a new one: carehub audit rotate-key");
  }
  auto text = text_of_file(path);
  if (!text) return tl::unexpected(text.error());
  auto signer = CheckpointSigner::parse(std::string_view(*text).substr(0, text->find('\n')));
  if (!signer) return fail(signer.error().kind, path.string() + ": " + signer.error().text);
  if (signer->origin() != origin) {
    return fail(ErrorKind::invalid,
                path.string() + ": this signing key is of `" + signer->origin() +
                    "`, and the configuration says that the ledger's origin is `" + origin +
                    "`. Put the origin right, or make a key for it: carehub audit rotate-key");
  }
  return signer;
}

Result<void> list(const fs::path& path, std::string listed, const std::string& key) {
  if (lists(listed, key)) return {};
  if (listed.empty()) listed = "# Keys that sign this ledger's checkpoints (C2SP signed-note), newest last\n";
  listed += key + "\n";
  if (auto put = replace_public_file(path, listed); !put) return put;
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<CheckpointSigner> make_key(const SigningPlace& place, const std::string& origin, Random& random) {
  auto signer = CheckpointSigner::make(origin, random);
  if (!signer) return signer;
  auto file = File::create(place.secret_file);
  if (!file) return tl::unexpected(file.error());
  const std::string text = signer->secret_text() + "\n";
  if (auto put = file->write_at(0, bytes_of(text)); !put) return tl::unexpected(put.error());
  if (auto synced = file->sync(); !synced) return tl::unexpected(synced.error());
  return signer;
}

}  // namespace

Result<CheckpointSigner> open_signing_key(const SigningPlace& place, const std::string& origin,
                                          Random& random) {
  auto listed = text_of_file(place.public_file);
  if (!listed) return tl::unexpected(listed.error());
  std::error_code error;
  const bool exists = fs::exists(place.secret_file, error);
  if (!exists && !listed->empty()) {
    return fail(ErrorKind::corrupt, "the signing key " + place.secret_file.string() +
                                        " is missing. Restore it, or make a new one, on record: carehub "
                                        "audit rotate-key");
  }
  auto signer = exists ? read_secret(place.secret_file, origin) : make_key(place, origin, random);
  if (!signer) return signer;
  const std::string key = signer->public_text();
  if (lists(*listed, key) && last_key(*listed) != key) {
    return fail(ErrorKind::corrupt, place.secret_file.string() +
                                        ": this signing key was replaced by a newer one. Restore the newest");
  }
  if (auto done = list(place.public_file, std::move(*listed), key); !done)
    return tl::unexpected(done.error());
  return signer;
}

Result<CheckpointSigner> rotate_signing_key(const SigningPlace& place, const std::string& origin,
                                            Random& random) {
  auto listed = text_of_file(place.public_file);
  if (!listed) return tl::unexpected(listed.error());
  // Under its own name there is the old key or the new one. The list may lag behind: the next start adds to
  // it.
  SigningPlace draft = place;
  draft.secret_file += ".new";
  std::error_code error;
  fs::remove(draft.secret_file, error);
  auto signer = make_key(draft, origin, random);
  if (!signer) return signer;
  fs::rename(draft.secret_file, place.secret_file, error);
  if (error) {
    return fail(ErrorKind::unavailable,
                place.secret_file.string() + ": cannot be replaced: " + error.message());
  }
  const fs::path& secret = place.secret_file;
  const fs::path directory = secret.has_parent_path() ? secret.parent_path() : fs::path(".");
  if (auto synced = sync_directory(directory); !synced) return tl::unexpected(synced.error());
  if (auto done = list(place.public_file, std::move(*listed), signer->public_text()); !done) {
    return tl::unexpected(done.error());
  }
  return signer;
}

std::string origin_or_usual(const std::string& configured, const fs::path& public_file,
                            std::string_view hub_name) {
  if (!configured.empty()) return configured;
  const auto keys = listed_keys(public_file);
  return keys && !keys->empty() ? keys->back().name : default_origin(hub_name);
}

Result<std::vector<verify::Key>> listed_keys(const fs::path& public_file) {
  auto listed = text_of_file(public_file);
  if (!listed) return tl::unexpected(listed.error());
  auto keys = verify::parse_keys(*listed);
  if (keys) return keys;
  return fail(ErrorKind::corrupt, public_file.string() + ": " + keys.error().text);
}

}  // namespace carehub::storage
