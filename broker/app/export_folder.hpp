#pragma once

#include <sodium.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"

namespace carehub::app {

/// A folder that somebody keeps, with a manifest: the SHA-256 of every file, as sha256sum -c reads it. It has
/// a draft's name, NAME.draft, until it is whole, and is its owner's alone (0700). A draft that is not
/// completed is removed. Errors are `unavailable` and name the file. For one thread.
class ExportFolder {
 public:
  static constexpr const char* kManifest = "MANIFEST.sha256";

  /// `conflict` where the folder exists and is not empty, or where a draft lies that was cut short.
  static Result<ExportFolder> create(const std::filesystem::path& folder);

  ExportFolder(ExportFolder&& other) noexcept;
  ExportFolder& operator=(ExportFolder&&) = delete;
  ~ExportFolder();

  /// Goes on at the end of a file, which is made when it is not there; `name` may have one folder in front.
  Result<void> append(const std::string& name, std::string_view text);
  /// Closes a file that nothing is appended to any more.
  Result<void> finish(const std::string& name);

  /// Writes the manifest and gives the folder its name; all of it outlives a power cut. What the manifest's
  /// own SHA-256 is.
  Result<std::string> complete();

 private:
  struct Open {
    std::ofstream out;
    crypto_hash_sha256_state hash;
  };
  ExportFolder(std::filesystem::path folder, std::filesystem::path draft)
      : folder_(std::move(folder)), draft_(std::move(draft)) {}

  std::filesystem::path folder_;
  std::filesystem::path draft_;  // empty: completed, or moved away
  std::map<std::string, std::unique_ptr<Open>> open_;
  std::map<std::string, std::string> hashes_;
};

}  // namespace carehub::app
