#pragma once

#include <filesystem>

#include "broker/base/ids.hpp"
#include "broker/storage/checkpoint.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::storage {

/// In the data directory: the newest signed checkpoint, every key that may have signed, and, with a dot and
/// a number behind the name, each checkpoint that stood there when a person accepted a loss.
constexpr const char* kCheckpointFile = "checkpoint";
constexpr const char* kCheckpointKeysFile = "checkpoint.keys";
constexpr const char* kLostCheckpointFile = "checkpoint.lost";

/// Where a log's keys lie.
struct SigningPlace {
  std::filesystem::path secret_file;  // of the key that signs now; 0600, one line
  std::filesystem::path public_file;  // every key that ever signed, one a line, the present one last; 0644
};

/// The key that signs, made where no key is listed and there is no secret file yet; its list is begun then.
/// Cut short at any place, the next start goes on. Errors: `invalid` (others may read the secret file; it is
/// of another origin), `corrupt` (it is damaged, missing, not listed, or not the newest that is listed).
Result<CheckpointSigner> open_signing_key(const SigningPlace& place, const std::string& origin,
                                          Random& random);

/// `next` is listed, then takes the old key's place; the old public key stays listed, so that what it signed
/// verifies, but for no tree of more entries than `recorded_as`. Cut short, start has the old key, or the new
/// one, or refuses, and another may be put in its place. The caller has recorded it under that number.
Result<void> rotate_signing_key(const SigningPlace& place, const CheckpointSigner& next,
                                Sequence recorded_as);

/// The configured origin; where none is, that of the newest listed key, else one made of the hub's name.
std::string origin_or_usual(const std::string& configured, const std::filesystem::path& public_file,
                            std::string_view hub_name);

/// Every key that may have signed this log's checkpoints. Empty where there is no list.
Result<std::vector<verify::Key>> listed_keys(const std::filesystem::path& public_file);

/// The files that hold a checkpoint over what was accepted as lost.
std::vector<std::filesystem::path> lost_checkpoints(const std::filesystem::path& data_directory);

}  // namespace carehub::storage
