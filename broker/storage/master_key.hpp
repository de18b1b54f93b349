#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/storage/vault.hpp"

namespace carehub::storage {

/// Where the key that opens the vault comes from: 32 bytes as 64 hexadecimal characters.
struct MasterKeySource {
  enum class Kind : std::uint8_t {
    file,        // closed to group and others
    credential,  // the file of this name that systemd puts into $CREDENTIALS_DIRECTORY
    command      // what a program prints; started without a shell, bounded in time and size
  };
  Kind kind = Kind::file;
  std::filesystem::path file;        // empty: master.key beside the vault
  std::string credential;            // its name
  std::vector<std::string> command;  // an absolute path, then its arguments

  MasterKeySource() = default;
  MasterKeySource(std::filesystem::path path) : file(std::move(path)) {}  // the usual one, by its path
  static MasterKeySource from_credential(std::string name);
  static MasterKeySource from_command(std::vector<std::string> words);

  /// With the file that is meant where none is named.
  MasterKeySource beside(const std::filesystem::path& vault_file) const;
  /// For messages: never the key, never a command's arguments.
  std::string name() const;
};

constexpr std::uint32_t kMasterKeyCommandMs = 30'000;

/// Errors: `not_found` (no such file or credential), `invalid` (no key, or others may read it), `unavailable`
/// (the command fails or does not end). Texts name the source and the remedy.
Result<SecretKey> read_master_key(const MasterKeySource& source);

/// A new file with mode 0600 that holds the key; `path` itself only once it is whole and synced.
Result<void> write_master_key(const std::filesystem::path& path, const SecretKey& key);

/// 32 random bytes.
SecretKey draw_key(Random& random);

}  // namespace carehub::storage
