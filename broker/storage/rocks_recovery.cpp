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

/// What was signed was durable. Nothing else may say so: each number up to there would be filled as lost.
Result<void> heed_signed(const std::filesystem::path& data_directory, const std::string& row,
                         LedgerLoss& loss) {
  const auto state = read_signed_state(data_directory);
  if (!state) return tl::unexpected(state.error());
  const auto heed = [&](const std::string& text, const std::string& where) -> Result<bool> {
    const auto checkpoint = trusted_checkpoint(text, state->keys, where);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const bool beyond = checkpoint->size > loss.whole;
    if (loss.marked || beyond) loss.marked = std::max(loss.marked.value_or(0), checkpoint->size);
    return beyond;
  };
  if (!state->checkpoint.empty()) {
    const auto file = (data_directory / kCheckpointFile).string();
    if (auto heeded = heed(state->checkpoint, file); !heeded) {
      return fail(heeded.error().kind, heeded.error().text +
                                           ". Put the right one back; where there is none, move this one "
                                           "away: then the mark alone says what was durable");
    }
  }
  const bool known =
      row == state->checkpoint || std::find(state->lost.begin(), state->lost.end(), row) != state->lost.end();
  if (row.empty() || known) return {};
  const auto beyond = heed(row, ledger_of(data_directory).string() + ", its newest checkpoint");
  if (!beyond) return fail(beyond.error().kind, beyond.error().text + ". " + kRestore);
  if (*beyond) loss.signed_row = row;
  return {};
}

/// Under a name that is not taken: an earlier loss has its own.
std::filesystem::path lost_name(const std::filesystem::path& data_directory, Sequence whole) {
  const std::string name = (data_directory / kLostCheckpointFile).string() + "." + std::to_string(whole);
  std::filesystem::path free = name;
  std::error_code error;
  for (int again = 2; std::filesystem::exists(free, error); ++again)
    free = name + "-" + std::to_string(again);
  return free;
}

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
  LedgerLoss loss{checked->tree.size(), witness.size(), checked->tree, checked->last_leaf, {}};
  if (auto good = heed_signed(data_directory, checked->signed_row, loss); !good)
    return tl::unexpected(good.error());
  return loss;
}

Result<void> accept_loss(const std::filesystem::path& data_directory, const LedgerLoss& loss) {
  auto mark = Mark::open(mark_of(data_directory));
  if (!mark) return tl::unexpected(mark.error());
  // What was signed over lost entries can never be extended again; it is kept for whoever asks about it.
  const auto signed_file = data_directory / kCheckpointFile;
  std::error_code error;
  if (!loss.signed_row.empty()) {
    auto kept = write_whole(lost_name(data_directory, loss.whole), bytes_of(loss.signed_row));
    if (!kept) return kept;
  }
  if (std::filesystem::exists(signed_file, error)) {
    std::filesystem::rename(signed_file, lost_name(data_directory, loss.whole), error);
    if (error) {
      return fail(ErrorKind::unavailable, signed_file.string() + ": cannot be set aside: " + error.message());
    }
    if (auto synced = sync_directory(data_directory); !synced) return synced;
  }
  return mark->reset(loss.tree, loss.last_leaf);
}

}  // namespace carehub::storage
