#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "adapters/channel/interpreter.hpp"
#include "adapters/channel/pack.hpp"
#include "adapters/transports/folder_reader.hpp"
#include "adapters/transports/folder_writer.hpp"
#include "adapters/transports/http_listener.hpp"
#include "adapters/transports/mllp_listener.hpp"
#include "adapters/transports/tile_listener.hpp"
#include "adapters/transports/webhook_sender.hpp"
#include "broker/base/config_reader.hpp"

/// The adapters' side of each [[channel]] of hub.toml: transport, pack, overrides, unmappable, credit. Whom
/// it is about, who sees what and how fast (agency, scope, role, filter, retry, rate_per_minute) is checked
/// by the broker from the same document.
namespace carehub::adapters {

using TransportConfig = std::variant<MllpListenerOptions, HttpListenerOptions, FolderReaderOptions,
                                     FolderWriterOptions, WebhookSenderOptions>;

struct ChannelConfig {
  std::string name;
  std::string agency;
  std::string hub;  // its name, for what is sent out
  Direction direction = Direction::in;
  std::string role;  // out
  TransportConfig transport;
  std::shared_ptr<const Pack> pack;  // nullptr: out without a pack
  std::string pack_name;             // as written; empty without one
  Unmappable unmappable = Unmappable::refuse;
  std::uint32_t credit = 256;
  /// Out: where a shadow writes what it would have sent; empty for a channel that sends.
  std::filesystem::path shadow = {};
};

/// Reads every channel, its pack and its secrets. All faults are in `document.faults()` afterwards; the
/// result is good only when there are none. Opens no port and makes no file or folder. Does not report unused
/// keys.
std::vector<ChannelConfig> read_channels(ConfigDocument& document);

/// [tiles]: where the hub's checkpoint and the tiles of its ledger are served; nullopt where they are not.
/// Faults as above.
std::optional<TileListenerOptions> read_tiles(ConfigDocument& document,
                                              const std::vector<ChannelConfig>& channels);

/// One line for `carehub check`: "elwick-adt: in from elwick-hospital, mllp on 127.0.0.1:2575, pack
/// hospital/hl7v2.toml".
std::string describe(const ChannelConfig& channel);

/// What of the listeners is right as a file, and rarely meant: bytes of children in clear on a network, a
/// certificate that has ended or soon does.
std::vector<std::string> doubts_about(const std::vector<ChannelConfig>& channels,
                                      const std::optional<TileListenerOptions>& tiles, Timestamp now);

}  // namespace carehub::adapters
