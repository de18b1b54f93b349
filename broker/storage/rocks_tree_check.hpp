#pragma once

#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_database.hpp"
#include "broker/storage/signing_key.hpp"

namespace carehub::storage {

/// The newest signed checkpoint outside the database, every key that may have signed, and the checkpoints
/// over what a person has accepted as lost; each may be absent.
struct SignedState {
  std::string checkpoint;  // as read; empty where there is none
  std::vector<verify::Key> keys;
  std::vector<std::string> lost;  // as read
};
Result<SignedState> read_signed_state(const std::filesystem::path& data_directory);

/// The checkpoint, once one of the keys is seen to have signed it; else `corrupt`, with `where` it was read.
Result<verify::Checkpoint> trusted_checkpoint(std::string_view text, const std::vector<verify::Key>& keys,
                                              const std::string& where);

/// Do the stored tiles lead to the root that the entries have? Only those are read that the root is made of:
/// few, and each of them is hashed. Sets `checked.edge`, if the database is tiled. `corrupt` names the first
/// entry or tile that differs.
Result<void> check_tiles(const LedgerDatabase& database, const std::filesystem::path& place,
                         CheckedLedger& checked);

/// Does the tree extend the last signed checkpoint, the one in a file and the one in the database? `corrupt`
/// where a signature is not of a listed key, entries are missing, or the root differs.
Result<void> check_signed(const LedgerDatabase& database, const std::filesystem::path& place,
                          const TileEdge& edge, const SignedState& state);

}  // namespace carehub::storage
