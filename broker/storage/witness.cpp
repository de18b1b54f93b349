#include "broker/storage/witness.hpp"

#include "broker/storage/verify_tree.hpp"

namespace carehub::storage {
namespace {

std::string entries(std::uint64_t size) { return std::to_string(size) + " entries"; }

std::string still_there(const std::filesystem::path& evidence) {
  return "this log showed two histories, and the proof is kept: " + evidence.string() +
         ". Nothing of it is signed until a person has found out why and taken away that file and the one "
         "beside it";
}

}  // namespace

Result<Witness::Cosignature> Witness::look(const std::string& text, const std::vector<verify::Key>& keys,
                                           TreeReader::ReadTile read, std::uint64_t now_s) {
  const auto shown = verify::parse_checkpoint(text);
  if (!shown) return tl::unexpected(shown.error());
  if (const auto signer = verify::signer_of(*shown, keys); !signer) return tl::unexpected(signer.error());
  const std::string& origin = shown->origin;
  const auto fork = memory_.fork(origin);
  if (!fork) return tl::unexpected(fork.error());
  if (*fork) return fail(ErrorKind::corrupt, still_there(**fork));

  const auto newest = memory_.newest(origin);
  if (!newest) return tl::unexpected(newest.error());
  bool grown = true;
  if (*newest) {
    const auto remembered = verify::parse_checkpoint(**newest);
    if (!remembered || remembered->origin != origin || !verify::signer_of(*remembered, keys)) {
      return fail(ErrorKind::corrupt,
                  "what is remembered of `" + origin +
                      "` is damaged, or signed by a key that is not in the file of keys. Restore it, or have "
                      "the hub's people say which keys it had; without it nothing of this log is signed");
    }
    if (shown->size < remembered->size) {
      return fail(ErrorKind::conflict, "the hub shows " + entries(shown->size) + " and has shown " +
                                           entries(remembered->size) +
                                           " before: it has lost its end, or shows an old copy. Nothing is "
                                           "signed until it has caught up");
    }
    grown = shown->size > remembered->size;
    if (auto checked = check_growth(*remembered, *shown, std::move(read)); !checked) {
      // Only what a proof says is evidence; tiles that did not come are not.
      if (checked.error().kind != ErrorKind::corrupt) return tl::unexpected(checked.error());
      auto kept = keep_fork(origin, **newest, text, checked.error().text);
      return tl::unexpected(kept.error());
    }
  }
  Cosignature out{origin, shown->size, {}, grown};
  const std::string line = cosigner_.cosign(shown->body, now_s);
  out.checkpoint = text + line;
  if (grown) {
    if (auto kept = memory_.remember(origin, out.checkpoint); !kept) return tl::unexpected(kept.error());
  }
  return out;
}

Result<void> Witness::check_growth(const verify::Checkpoint& remembered, const verify::Checkpoint& shown,
                                   TreeReader::ReadTile read) const {
  std::vector<Bytes> proof;
  if (remembered.size > 0 && remembered.size < shown.size) {
    TreeReader tree(shown.size, std::move(read));
    const auto root = tree.root();
    if (root && *root != shown.root) {
      return fail(ErrorKind::invalid,
                  "the tiles that came do not lead to the root that the log has signed: some are damaged, or "
                  "old ones out of somebody's store. Nothing is signed; it is tried again");
    }
    const auto hashes = root ? tree.consistency(remembered.size) : tl::unexpected(root.error());
    if (!hashes) {
      // A log that names its own tiles damaged has proven nothing about its history.
      const Error& error = hashes.error();
      return fail(error.kind == ErrorKind::corrupt ? ErrorKind::invalid : error.kind, error.text);
    }
    for (const Hash& hash : *hashes) proof.emplace_back(hash.begin(), hash.end());
  }
  if (auto held = verify::consistency(remembered.size, shown.size, proof, remembered.root, shown.root); !held)
    return fail(ErrorKind::corrupt, held.error().text);
  return {};
}

Result<void> Witness::keep_fork(const std::string& origin, const std::string& remembered,
                                const std::string& shown, const std::string& why) {
  const auto kept = memory_.keep_fork(origin, remembered, shown);
  const std::string what = "`" + origin +
                           "` SHOWS ANOTHER HISTORY: what it shows now does not extend what it has shown (" +
                           why + "). Nothing of it is signed from now on. ";
  if (!kept) return fail(ErrorKind::corrupt, what + "The proof could not be kept: " + kept.error().text);
  return fail(ErrorKind::corrupt, what + "Both checkpoints, each with the hub's own signature, are in " +
                                      kept->string() +
                                      " and beside it: call the hub's people and the others "
                                      "who rely on it");
}

}  // namespace carehub::storage
