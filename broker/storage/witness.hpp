#pragma once

#include <functional>
#include <vector>

#include "broker/storage/cosigner.hpp"
#include "broker/storage/proofs.hpp"
#include "broker/storage/verify_note.hpp"
#include "broker/storage/witness_memory.hpp"

namespace carehub::storage {

/// Holds a log to what it has said: cosigns a checkpoint only where that extends the newest one of the same
/// log that it cosigned before, and keeps that in mind, synced, before its word leaves. The first checkpoint
/// of a log is taken as it is. It never signs a smaller tree, or another root for a size that it signed.
class Witness {
 public:
  Witness(WitnessMemory memory, Cosigner cosigner)
      : memory_(std::move(memory)), cosigner_(std::move(cosigner)) {}

  struct Cosignature {
    std::string origin;
    std::uint64_t size = 0;
    std::string checkpoint;  // the whole note, with the witness's line at its end
    bool grown = false;      // since the one before; false: the same tree, with a newer time
  };

  /// `text` is the newest checkpoint that the log shows, `keys` the log's public keys as its people gave
  /// them, `read` reads a tile of the log. Errors: `invalid` (no checkpoint, or none that these keys signed),
  /// `conflict` (a smaller tree than was signed before), `corrupt` (it does not extend what was signed:
  /// evidence is kept and nothing of this log is signed while it is there; or the memory is damaged), and
  /// what `read` and the disk say.
  Result<Cosignature> look(const std::string& text, const std::vector<verify::Key>& keys,
                           TreeReader::ReadTile read, std::uint64_t now_s);

  const Cosigner& cosigner() const { return cosigner_; }

 private:
  Result<void> check_growth(const verify::Checkpoint& remembered, const verify::Checkpoint& shown,
                            TreeReader::ReadTile read) const;
  Result<void> keep_fork(const std::string& origin, const std::string& remembered, const std::string& shown,
                         const std::string& why);

  WitnessMemory memory_;
  Cosigner cosigner_;
};

}  // namespace carehub::storage
