#pragma once

#include <functional>
#include <map>
#include <string>

#include "broker/app/hub_connection.hpp"
#include "broker/app/surroundings.hpp"
#include "broker/storage/entry.hpp"
#include "broker/storage/tiles.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::app {

struct SignedTree {
  std::string text;  // as it was signed
  storage::verify::Checkpoint checkpoint;
};

/// The Merkle tree over a running hub's ledger as the hub answers it, tile by tile; and entries as they are
/// sealed. Nothing of it is to be believed before it verifies. For one thread.
class HubTree {
 public:
  /// Both outlive it.
  HubTree(client::HubClient& hub, Surroundings& surroundings) : hub_(hub), surroundings_(surroundings) {}

  /// The last entry that the hub holds.
  Result<Sequence> head();

  /// The newest checkpoint that the hub has signed, once it covers that entry: the hub signs every second
  /// while entries arrive. `unavailable` after half a minute.
  Result<SignedTree> signed_tree(Sequence covers);

  /// A C2SP tlog-proof of the entry, which has been compared with the checkpoint. A tile is asked for once.
  Result<std::string> prove(const storage::SealedEntry& entry, const SignedTree& tree);

  /// Asked for once, and kept.
  Result<storage::Tile> tile(storage::TileId id, std::size_t width);

  /// Hands on each entry that the question asks for, in order, checked against its leaf. The number of them.
  /// The asking is on record before the first is here.
  using Take = std::function<Result<void>(const storage::SealedEntry& entry)>;
  Result<std::uint64_t> each_entry(wire::QueryT question, const Take& take);

 private:
  client::HubClient& hub_;
  Surroundings& surroundings_;
  std::map<std::pair<storage::TileId, std::size_t>, storage::Tile> tiles_;
};

}  // namespace carehub::app
