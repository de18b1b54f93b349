#include "broker/storage/verify_proof.hpp"

#include "broker/storage/verify_tree.hpp"

namespace carehub::storage::verify {
namespace {

constexpr std::size_t kLeafDataBytes = 72;

tl::unexpected<Error> refuse(const std::string& why) {
  return fail(ErrorKind::invalid, "the proof does not hold: " + why);
}

std::uint64_t little(BytesView bytes) {
  std::uint64_t value = 0;
  for (std::size_t at = bytes.size(); at-- > 0;) value = (value << 8U) | bytes[at];
  return value;
}

/// The next line where it ends; else nothing is taken.
bool take(std::string_view& text, std::string_view& line) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

bool take_word(std::string_view& line, std::string_view word) {
  if (!line.starts_with(word)) return false;
  line.remove_prefix(word.size());
  return true;
}

}  // namespace

Result<ProofFile> parse_proof(std::string_view text) {
  if (text.size() > kProofBytesMax) return refuse("it is longer than any proof");
  std::string_view line;
  if (!take(text, line) || line != "c2sp.org/tlog-proof@v1")
    return refuse("it is no tlog-proof of version 1");
  ProofFile proof;
  if (!take(text, line)) return refuse("it is cut short");
  if (take_word(line, "extra ")) {
    const auto extra = from_base64(line);
    if (!extra) return refuse("its extra data is no base64");
    proof.leaf_data = *extra;
    if (!take(text, line)) return refuse("it is cut short");
  }
  const auto index = take_word(line, "index ") ? from_decimal(line) : std::nullopt;
  if (!index) return refuse("its index is no number");
  proof.index = *index;
  while (true) {
    if (!take(text, line)) return refuse("it is cut short");
    if (line.empty()) break;
    auto hash = from_base64(line);
    if (!hash || proof.hashes.size() == kProofHashesMax)
      return refuse("a hash of it is no base64, or there are too many");
    proof.hashes.push_back(std::move(*hash));
  }
  auto checkpoint = parse_checkpoint(text);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  proof.checkpoint = std::move(*checkpoint);
  return proof;
}

Result<ProvenEntry> proven_entry(const ProofFile& proof, const std::vector<Key>& keys) {
  const auto signer = signer_of(proof.checkpoint, keys);
  if (!signer) return tl::unexpected(signer.error());
  auto cosigned = cosigners_of(proof.checkpoint, keys);
  if (!cosigned) return tl::unexpected(cosigned.error());
  if (proof.leaf_data.size() != kLeafDataBytes) return refuse("it does not say what the entry is");
  ProvenEntry proven;
  proven.leaf = leaf_of(proof.leaf_data);
  const auto held =
      inclusion(proof.index, proof.checkpoint.size, proven.leaf, proof.hashes, proof.checkpoint.root);
  if (!held) return tl::unexpected(held.error());
  const BytesView leaf = proof.leaf_data;
  proven.sequence = little(leaf.subspan(8, 8));
  if (proven.sequence != proof.index + 1) return refuse("the entry carries another sequence");
  proven.kind = leaf[1];
  proven.appended_at_us = static_cast<std::int64_t>(little(leaf.subspan(16, 8)));
  proven.tree_size = proof.checkpoint.size;
  proven.signer = *signer;
  proven.cosigned = std::move(*cosigned);
  return proven;
}

}  // namespace carehub::storage::verify
