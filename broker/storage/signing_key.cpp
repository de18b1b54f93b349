#include "broker/storage/signing_key.hpp"

#include <algorithm>

#include "broker/base/secret_file.hpp"
#include "broker/storage/file.hpp"

namespace carehub::storage {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileBytesMax = 1U << 20U;
const std::string kOtherKey =
    ". Restore the newest, with its list, or make another, on record: carehub audit rotate-key";

/// Empty where there is no such file.
Result<std::string> text_of_file(const fs::path& path) {
  auto file = File::open_to_read(path);
  if (!file && file.error().kind == ErrorKind::not_found) return std::string();
  if (!file) return tl::unexpected(file.error());
  const auto bytes = file->read_at(0, kFileBytesMax);
  if (!bytes) return tl::unexpected(bytes.error());
  return std::string(text_of(*bytes));
}

/// The list as text, for what is added, and as keys.
struct List {
  std::string text;
  std::vector<verify::Key> keys;
};

Result<List> read_list(const fs::path& path) {
  auto text = text_of_file(path);
  if (!text) return tl::unexpected(text.error());
  auto keys = verify::parse_keys(*text);
  if (!keys) return fail(ErrorKind::corrupt, path.string() + ": " + keys.error().text);
  return List{std::move(*text), std::move(*keys)};
}

Result<CheckpointSigner> read_secret(const fs::path& path, const std::string& origin) {
  if (is_open_to_others(path)) {
    return fail(ErrorKind::invalid,
                "others may read the signing key " + path.string() +
                    ": chmod 600 it, and think about a new one: carehub audit rotate-key");
  }
  const auto text = read_secret_file(path, kFileBytesMax);
  if (!text && text.error().kind != ErrorKind::not_found) return tl::unexpected(text.error());
  const auto all = text ? text->view() : std::string_view();
  auto signer = CheckpointSigner::parse(all.substr(0, all.find('\n')));
  if (!signer) return fail(signer.error().kind, path.string() + ": " + signer.error().text + kOtherKey);
  if (signer->origin() != origin) {
    return fail(ErrorKind::invalid,
                path.string() + ": this signing key is of `" + signer->origin() +
                    "`, and the configuration says that the ledger's origin is `" + origin +
                    "`. Put the origin right, or make a key for it: carehub audit rotate-key");
  }
  return signer;
}

Result<void> add(const CheckpointSigner& signer, List list, const fs::path& path) {
  if (list.text.empty()) {
    list.text = "# Keys that sign this ledger's checkpoints (C2SP signed-note), newest last\n";
  } else if (list.text.back() != '\n') {
    list.text += '\n';
  }
  if (auto put = replace_public_file(path, list.text + signer.public_text() + "\n"); !put) return put;
  return sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<void> put_secret(const CheckpointSigner& signer, const fs::path& path) {
  auto text = signer.secret_text() + "\n";
  auto put = write_whole(path, bytes_of(text));
  wipe(text);
  return put;
}

Result<CheckpointSigner> make_key(const SigningPlace& place, const std::string& origin, Random& random) {
  auto signer = CheckpointSigner::make(origin, random);
  if (!signer) return signer;
  if (auto put = put_secret(*signer, place.secret_file); !put) return tl::unexpected(put.error());
  return signer;
}

bool is_of(const verify::Key& listed, const CheckpointSigner& signer) {
  const auto own = verify::parse_key(signer.public_text());
  return own && own->kind == listed.kind && own->name == listed.name && own->bytes == listed.bytes;
}

}  // namespace

Result<CheckpointSigner> open_signing_key(const SigningPlace& place, const std::string& origin,
                                          Random& random) {
  auto list = read_list(place.public_file);
  if (!list) return tl::unexpected(list.error());
  const std::vector<verify::Key>& keys = list->keys;
  const std::string secret = place.secret_file.string();
  std::error_code error;
  const bool exists = fs::exists(place.secret_file, error);
  if (!exists && !keys.empty())
    return fail(ErrorKind::corrupt, "the signing key " + secret + " is missing" + kOtherKey);
  auto signer = exists ? read_secret(place.secret_file, origin) : make_key(place, origin, random);
  if (!signer) return signer;
  if (keys.empty()) {
    if (auto listed = add(*signer, std::move(*list), place.public_file); !listed)
      return tl::unexpected(listed.error());
    return signer;
  }
  if (is_of(keys.back(), *signer)) return signer;
  const bool replaced =
      std::any_of(keys.begin(), keys.end(), [&](const verify::Key& key) { return is_of(key, *signer); });
  return fail(ErrorKind::corrupt,
              secret +
                  (replaced ? ": this signing key was replaced by a newer one"
                            : ": this signing key is not listed in " + place.public_file.string()) +
                  kOtherKey);
}

Result<void> rotate_signing_key(const SigningPlace& place, const CheckpointSigner& next,
                                Sequence recorded_as) {
  auto list = read_list(place.public_file);
  if (!list) return tl::unexpected(list.error());
  for (const verify::Key& old : list->keys) {
    if (old.size_max <= recorded_as) continue;
    if (list->text.back() != '\n') list->text += '\n';
    list->text += verify::last_size_text(old, recorded_as) + "\n";
  }
  // Listed first: a secret that is not listed is never taken for one that may sign.
  if (auto listed = add(next, std::move(*list), place.public_file); !listed) return listed;
  return put_secret(next, place.secret_file);
}

std::string origin_or_usual(const std::string& configured, const fs::path& public_file,
                            std::string_view hub_name) {
  if (!configured.empty()) return configured;
  const auto keys = listed_keys(public_file);
  return keys && !keys->empty() ? keys->back().name : default_origin(hub_name);
}

Result<std::vector<verify::Key>> listed_keys(const fs::path& public_file) {
  auto list = read_list(public_file);
  if (!list) return tl::unexpected(list.error());
  return std::move(list->keys);
}

std::vector<fs::path> lost_checkpoints(const fs::path& data_directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(data_directory, error)) {
    const fs::path name = file.path().filename();
    const bool draft = name.extension() == ".new";
    if (!draft && name.string().starts_with(kLostCheckpointFile)) found.push_back(file.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace carehub::storage
