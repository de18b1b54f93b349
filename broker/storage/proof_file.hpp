#pragma once

#include "broker/storage/entry.hpp"
#include "broker/storage/proofs.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {

/// A C2SP tlog-proof of an entry under a signed checkpoint that covers it; `text` is the checkpoint as it was
/// signed. It is verified before it is given: `corrupt` when the tree as stored does not lead to the
/// checkpoint's root.
Result<std::string> make_proof(const SealedEntry& entry, const verify::Checkpoint& checkpoint,
                               const std::string& text, TreeReader::ReadTile read);

}  // namespace carehub::storage
