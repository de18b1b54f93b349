#include "broker/app/hub_tree.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "broker/storage/proof_file.hpp"

namespace carehub::app {
namespace {

constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::seconds kSignedWait{30};
constexpr std::size_t kTilesMax = 4096;  // kept, of 8 KiB each

Result<wire::RowT> only_row(client::HubClient& hub, wire::QueryT question) {
  auto page = ask(hub, std::move(question));
  if (!page) return tl::unexpected(page.error());
  if (page->rows.size() != 1)
    return fail(ErrorKind::invalid, "the hub answered with another number of rows than one");
  return std::move(*page->rows.front());
}

}  // namespace

Result<Sequence> HubTree::head() {
  wire::QueryT question;
  question.kind = wire::QueryKind::status;
  const auto page = ask(hub_, std::move(question));
  if (!page) return tl::unexpected(page.error());
  for (const auto& row : page->rows) {
    if (row->kind == "head") return row->sequence;
  }
  return fail(ErrorKind::invalid, "the hub did not say where its ledger ends");
}

Result<SignedTree> HubTree::signed_tree(Sequence covers) {
  std::uint64_t covered = 0;
  const auto until = std::chrono::steady_clock::now() + kSignedWait;
  do {
    wire::QueryT question;
    question.kind = wire::QueryKind::checkpoint;
    auto row = only_row(hub_, std::move(question));
    if (!row) return tl::unexpected(row.error());
    auto checkpoint = storage::verify::parse_checkpoint(row->text);
    if (!checkpoint) return fail(ErrorKind::invalid, "the hub's checkpoint: " + checkpoint.error().text);
    covered = checkpoint->size;
    if (covered >= covers) return SignedTree{std::move(row->text), *std::move(checkpoint)};
    if (surroundings_.stopped_within(std::chrono::milliseconds(0)))
      return fail(ErrorKind::unavailable, "stopped before the end");
    std::this_thread::sleep_for(kPoll);
  } while (std::chrono::steady_clock::now() < until);
  return fail(ErrorKind::unavailable, "the newest checkpoint covers entries up to " +
                                          std::to_string(covered) + ", and not yet " +
                                          std::to_string(covers) + ": try again, or ask for fewer");
}

Result<std::string> HubTree::prove(const storage::SealedEntry& entry, const SignedTree& tree) {
  return storage::make_proof(entry, tree.checkpoint, tree.text,
                             [this](storage::TileId id, std::size_t width) { return tile(id, width); });
}

Result<storage::Tile> HubTree::tile(storage::TileId id, std::size_t width) {
  const std::pair key(id, width);
  if (const auto known = tiles_.find(key); known != tiles_.end()) return known->second;
  wire::QueryT question;
  question.kind = wire::QueryKind::tile;
  question.path = storage::tile_path(id, width);
  auto row = only_row(hub_, std::move(question));
  if (!row) return tl::unexpected(row.error());
  if (row->hashes.size() != width)
    return fail(ErrorKind::corrupt, "the hub's " + storage::tile_path(id, width) + " has another width");
  storage::Tile tile(width);
  for (std::size_t at = 0; at < width; ++at)
    std::copy_n(row->hashes[at].bytes()->begin(), tile[at].size(), tile[at].begin());
  if (tiles_.size() >= kTilesMax) tiles_.clear();
  tiles_.emplace(key, tile);
  return tile;
}

Result<std::uint64_t> HubTree::each_entry(wire::QueryT question, const Take& take) {
  question.kind = wire::QueryKind::entries;
  std::uint64_t count = 0;
  for (;;) {
    auto page = ask(hub_, question);
    if (!page) return tl::unexpected(page.error());
    for (const auto& row : page->rows) {
      const auto entry = storage::decode(row->entry, row->sequence);
      if (!entry) return tl::unexpected(entry.error());
      if (auto taken = take(*entry); !taken) return tl::unexpected(taken.error());
      ++count;
    }
    if (!page->more || page->next_after <= question.after) return count;
    if (surroundings_.stopped_within(std::chrono::milliseconds(0)))
      return fail(ErrorKind::unavailable, "stopped before the end");
    question.after = page->next_after;
  }
}

}  // namespace carehub::app
