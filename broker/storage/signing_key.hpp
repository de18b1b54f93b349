#pragma once

#include <filesystem>

#include "broker/storage/checkpoint.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {

/// In the data directory: the newest signed checkpoint, every key that may have signed, and the checkpoint
/// that stood there when a person accepted a loss.
constexpr const char* kCheckpointFile = "checkpoint";
constexpr const char* kCheckpointKeysFile = "checkpoint.keys";
constexpr const char* kLostCheckpointFile = "checkpoint.lost";

/// Where a log's keys lie.
struct SigningPlace {
  std::filesystem::path secret_file;  // of the key that signs now; 0600, one line
  std::filesystem::path public_file;  // every key that ever signed, one a line, the present one last; 0644
};

/// The key that signs, made where neither file exists yet. Errors: `invalid` (others may read the secret
/// file; it is of another origin), `corrupt` (it is damaged, missing, or not the newest that is listed).
Result<CheckpointSigner> open_signing_key(const SigningPlace& place, const std::string& origin,
                                          Random& random);

/// A new key takes the old one's place; the old public key stays listed, so that what it signed verifies.
/// Cut short, it is refused or whole at the next start, and may be called again. The caller records it.
Result<CheckpointSigner> rotate_signing_key(const SigningPlace& place, const std::string& origin,
                                            Random& random);

/// The configured origin; where none is, that of the newest listed key, else one made of the hub's name.
std::string origin_or_usual(const std::string& configured, const std::filesystem::path& public_file,
                            std::string_view hub_name);

/// Every key that may have signed this log's checkpoints. Empty where there is no list.
Result<std::vector<verify::Key>> listed_keys(const std::filesystem::path& public_file);

}  // namespace carehub::storage
