#include "broker/storage/proof_file.hpp"

#include <sodium.h>

#include "broker/storage/sha256.hpp"
#include "broker/storage/verify_tree.hpp"

namespace carehub::storage {
namespace {

std::string base64(BytesView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  text.resize(text.size() - 1);  // its zero
  return text;
}

}  // namespace

Result<std::string> make_proof(const SealedEntry& entry, const verify::Checkpoint& checkpoint,
                               const std::string& text, TreeReader::ReadTile read) {
  const std::uint64_t index = entry.header.sequence - 1;
  const auto path = TreeReader(checkpoint.size, std::move(read)).inclusion(index);
  if (!path) return tl::unexpected(path.error());
  const auto clear = clear_bytes(entry.header);
  const Hash sealed = sha256({entry.nonce, entry.ciphertext});
  Bytes leaf(clear.begin(), clear.end());
  leaf.insert(leaf.end(), sealed.begin(), sealed.end());
  std::string proof =
      "c2sp.org/tlog-proof@v1\nextra " + base64(leaf) + "\nindex " + std::to_string(index) + "\n";
  std::vector<Bytes> hashes;
  for (const Hash& hash : *path) {
    proof += base64(hash) + "\n";
    hashes.emplace_back(hash.begin(), hash.end());
  }
  const auto held = verify::inclusion(index, checkpoint.size, entry.leaf, hashes, checkpoint.root);
  if (held) return proof + "\n" + text;
  return fail(ErrorKind::corrupt,
              "the tree as it is stored does not lead from entry " + std::to_string(entry.header.sequence) +
                  " to the checkpoint's root. carehub audit verify says where it is damaged");
}

}  // namespace carehub::storage
