// What an auditor is handed: checkpoints, keys, proofs and names of tiles. None of it may crash the verifier,
// and nothing is accepted in two spellings.
#include <cstdlib>

#include "broker/storage/tiles.hpp"
#include "broker/storage/verify_proof.hpp"

namespace {

using namespace carehub;
namespace verify = storage::verify;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_checkpoint(std::string_view text, const std::vector<verify::Key>& keys) {
  const auto checkpoint = verify::parse_checkpoint(text);
  if (!checkpoint) return;
  require(text.starts_with(checkpoint->body));
  require(checkpoint->signatures.size() <= verify::kSignaturesMax);
  require(checkpoint->body.find(std::to_string(checkpoint->size)) != std::string::npos);
  (void)verify::signer_of(*checkpoint, keys);
  (void)verify::cosigners_of(*checkpoint, keys);
}

void read_proof(std::string_view text, const std::vector<verify::Key>& keys) {
  const auto proof = verify::parse_proof(text);
  if (!proof) return;
  require(proof->hashes.size() <= verify::kProofHashesMax);
  const auto proven = verify::proven_entry(*proof, keys);
  if (proven) require(proven->sequence == proof->index + 1 && proven->sequence <= proven->tree_size);
}

void read_tile_path(std::string_view text) {
  const auto place = storage::parse_tile_path(text);
  if (place) require(storage::tile_path(place->id, place->width) == text);
}

}  // namespace

/// The first byte says what the rest is; keys stand before an empty line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto text = all.substr(1);
  const auto split = text.find("\n\n");
  const auto keys = verify::parse_keys(text.substr(0, split));
  const auto rest = split == std::string_view::npos ? text : text.substr(split + 2);
  const auto known = keys ? *keys : std::vector<verify::Key>();
  switch (all.front()) {
    case 'c': read_checkpoint(rest, known); break;
    case 'p': read_proof(rest, known); break;
    case 't': read_tile_path(text); break;
    default: (void)verify::parse_key(text); break;
  }
  return 0;
}
