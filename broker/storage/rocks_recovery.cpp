#include "broker/storage/rocks_recovery.hpp"

#include <algorithm>

#include "broker/storage/mark.hpp"
#include "broker/storage/rocks_check.hpp"
#include "broker/storage/rocks_tree_check.hpp"

namespace carehub::storage {
namespace {

std::filesystem::path ledger_of(const std::filesystem::path& data) { return data / "ledger"; }
std::filesystem::path mark_of(const std::filesystem::path& data) { return data / "ledger.mark"; }

/// Compares the roots at the sizes that the mark knows, as the tree grows.
class Witness {
 public:
  explicit Witness(std::optional<Mark::State> mark) : mark_(std::move(mark)) {}

  bool agrees(const MerkleFrontier& tree) const {
    if (!mark_) return true;
    if (tree.size() == mark_->checkpoint.size() && tree.root() != mark_->checkpoint.root()) return false;
    return tree.size() != mark_->size || tree.root() == mark_->root;
  }
  std::optional<Sequence> size() const { return mark_ ? std::optional<Sequence>(mark_->size) : std::nullopt; }

 private:
  std::optional<Mark::State> mark_;
};

}  // namespace

Result<LedgerLoss> find_loss(const std::filesystem::path& data_directory,
                             const std::function<Result<void>(const SealedEntry&)>& visit) {
  const auto place = ledger_of(data_directory);
  std::error_code error;
  if (!std::filesystem::exists(place / "CURRENT", error)) {
    return fail(ErrorKind::not_found, "there is no ledger in `" + data_directory.string() +
                                          "`, nor a part of one: restore it from a backup");
  }
  std::optional<Mark> mark;  // keeps hubs away
  if (std::filesystem::exists(mark_of(data_directory), error)) {
    auto opened = Mark::open(mark_of(data_directory));
    if (!opened) return tl::unexpected(opened.error());
    mark = std::move(*opened);
  }
  const Witness witness(mark ? mark->found() : std::nullopt);
  MerkleFrontier tree;
  const auto checked = whole_entries(place, [&](const SealedEntry& entry) -> Result<void> {
    tree.append(entry.leaf);
    if (!witness.agrees(tree)) {
      return fail(ErrorKind::corrupt, place.string() + ": entries up to " + std::to_string(tree.size()) +
                                          " are not those that were written. Do ledger and mark belong "
                                          "together? Restore both from one backup");
    }
    return visit(entry);
  });
  if (!checked) return tl::unexpected(checked.error());
  std::optional<Sequence> durable = witness.size();
  const auto signed_state = read_signed_state(data_directory);
  if (!signed_state) return tl::unexpected(signed_state.error());
  if (const auto signed_size = verify::parse_checkpoint(signed_state->checkpoint);
      signed_size && (durable || signed_size->size > checked->tree.size())) {
    durable = std::max(durable.value_or(0), signed_size->size);
  }
  return LedgerLoss{checked->tree.size(), durable, checked->tree, checked->last_leaf};
}

Result<void> accept_loss(const std::filesystem::path& data_directory, const LedgerLoss& loss) {
  auto mark = Mark::open(mark_of(data_directory));
  if (!mark) return tl::unexpected(mark.error());
  // What was signed over lost entries can never be extended again; it is kept for whoever asks about it.
  const auto signed_file = data_directory / kCheckpointFile;
  std::error_code error;
  if (std::filesystem::exists(signed_file, error)) {
    std::filesystem::rename(signed_file, data_directory / kLostCheckpointFile, error);
    if (error) {
      return fail(ErrorKind::unavailable, signed_file.string() + ": cannot be set aside: " + error.message());
    }
    if (auto synced = sync_directory(data_directory); !synced) return synced;
  }
  return mark->reset(loss.tree, loss.last_leaf);
}

}  // namespace carehub::storage
