#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "adapters/channel/channel_config.hpp"
#include "broker/base/secret_file.hpp"

namespace carehub::adapters {

/// Whether an address, written as `read_address` takes it, can be reached from this machine alone.
bool is_loopback(const std::string& address);

/// Reads the `transport` tables of one document; knows which ports and folders are spoken for.
class TransportReader {
 public:
  explicit TransportReader(std::filesystem::path home) : home_(std::move(home)) {}

  /// nullopt when there is a fault.
  std::optional<TransportConfig> read(ConfigTable& channel, const std::string& name, Direction direction);
  /// The directory of a channel that only writes down what it would have sent; empty where it sends.
  std::filesystem::path read_shadow(ConfigTable& channel);
  /// A path as written: relative ones start at the configuration's folder.
  std::filesystem::path beside(const std::string& path) const;
  /// An IP address of this machine; 127.0.0.1 where none is given.
  static std::string read_address(ConfigTable& table);
  /// The listener's `tls`, its files looked into; nullopt where there is none.
  std::optional<TlsOptions> read_tls(ConfigTable& listener) const;

 private:
  std::optional<TransportConfig> read_mllp(ConfigTable& table, const std::string& name);
  std::optional<TransportConfig> read_http(ConfigTable& table, const std::string& name);
  std::optional<TransportConfig> read_folder_in(ConfigTable& table, const std::string& name);
  std::optional<TransportConfig> read_folder_out(ConfigTable& table, const std::string& name);
  std::optional<TransportConfig> read_webhook(ConfigTable& table, const std::string& name);
  std::uint16_t read_port(ConfigTable& table);
  std::filesystem::path read_directory(ConfigTable& table, std::string_view key, Direction direction);
  void read_tokens(ConfigTable& table, std::vector<HttpToken>& tokens);
  void read_signing_keys(ConfigTable& table, std::vector<SigningKey>& keys);
  /// No text: a fault already.
  SecretText read_secret(ConfigTable& table, std::string_view key);

  std::filesystem::path home_;
  std::map<std::string, std::string> ports_;  // and where each is named
  struct Folder {
    std::string place;  // where it is named
    Direction direction;
  };
  std::map<std::filesystem::path, Folder> directories_;
};

}  // namespace carehub::adapters
