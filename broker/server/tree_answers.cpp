#include "broker/server/tree_answers.hpp"

#include <algorithm>
#include <limits>

#include "broker/base/limits.hpp"
#include "broker/care/past_reader.hpp"
#include "broker/storage/proofs.hpp"
#include "broker/storage/verify_note.hpp"

namespace carehub::server {
namespace {

constexpr std::size_t kRowBytesMax =
    limits::kFrameBytesMax - (64U << 10U);  // leaves room for the frame's own

std::vector<ledger::Fingerprint> fingerprints(const std::vector<Hash>& hashes) {
  std::vector<ledger::Fingerprint> out;
  out.reserve(hashes.size());
  for (const Hash& hash : hashes) out.emplace_back(flatbuffers::span<const std::uint8_t, 32>(hash));
  return out;
}

wire::PageT page_of(wire::RowT row) {
  wire::PageT page;
  page.rows.push_back(std::make_unique<wire::RowT>(std::move(row)));
  return page;
}

struct Signed {
  std::string text;
  std::uint64_t size = 0;
};

Result<Signed> newest(const storage::Ledger& ledger) {
  auto text = ledger.checkpoint();
  if (!text) return tl::unexpected(text.error());
  const auto checkpoint = storage::verify::parse_checkpoint(*text);
  if (!checkpoint) return fail(ErrorKind::corrupt, "the ledger's own checkpoint: " + checkpoint.error().text);
  return Signed{std::move(*text), checkpoint->size};
}

}  // namespace

bool TreeAnswers::answers(wire::QueryKind kind) {
  return kind == wire::QueryKind::checkpoint || kind == wire::QueryKind::tile ||
         kind == wire::QueryKind::proof || kind == wire::QueryKind::entries;
}

wire::PageT TreeAnswers::answer(const wire::QueryT& query) const {
  auto page = [&]() -> Result<wire::PageT> {
    switch (query.kind) {
      case wire::QueryKind::checkpoint: return checkpoint();
      case wire::QueryKind::tile: return tile(query);
      case wire::QueryKind::proof: return proof(query);
      case wire::QueryKind::entries: return entries(query);
      default: return fail(ErrorKind::invalid, "this is no question about the ledger's tree");
    }
  }();
  wire::PageT answered;
  if (page) {
    answered = std::move(*page);
  } else {
    answered.error = static_cast<wire::ErrorKind>(page.error().kind);
    answered.text = page.error().text;
  }
  answered.number = query.number;
  return answered;
}

Result<wire::PageT> TreeAnswers::checkpoint() const {
  auto found = newest(ledger_);
  if (!found) return tl::unexpected(found.error());
  wire::RowT row;
  row.kind = "checkpoint";
  row.sequence = found->size;
  row.text = std::move(found->text);
  return page_of(std::move(row));
}

Result<wire::PageT> TreeAnswers::tile(const wire::QueryT& query) const {
  const auto place = storage::parse_tile_path(query.path);
  if (!place) return tl::unexpected(place.error());
  const auto found = ledger_.tile(place->id, place->width);
  if (!found) return tl::unexpected(found.error());
  wire::RowT row;
  row.kind = "tile";
  row.text = query.path;
  row.hashes = fingerprints(*found);
  return page_of(std::move(row));
}

Result<wire::PageT> TreeAnswers::proof(const wire::QueryT& query) const {
  if ((query.sequence == 0) == (query.size == 0)) {
    return fail(ErrorKind::invalid, "a proof is asked for of one entry, or of an earlier size of the tree");
  }
  auto found = newest(ledger_);
  if (!found) return tl::unexpected(found.error());
  if (std::max(query.sequence, query.size) > found->size) {
    return fail(ErrorKind::not_found, "the newest checkpoint covers entries up to " +
                                          std::to_string(found->size) + "; ask again when there is a newer");
  }
  storage::TreeReader tree(found->size,
                           [this](storage::TileId id, std::size_t width) { return ledger_.tile(id, width); });
  const auto hashes = query.sequence != 0 ? tree.inclusion(query.sequence - 1) : tree.consistency(query.size);
  if (!hashes) return tl::unexpected(hashes.error());
  wire::RowT row;
  row.kind = "proof";
  row.sequence = query.sequence;
  row.hashes = fingerprints(*hashes);
  row.text = std::move(found->text);
  return page_of(std::move(row));
}

Result<wire::PageT> TreeAnswers::entries(const wire::QueryT& query) const {
  Sequence first = std::max({query.sequence, query.after + 1, Sequence{1}});
  if (query.first_at != 0) {
    const auto since = care::first_since(ledger_, {query.first_at});
    if (!since) return tl::unexpected(since.error());
    first = std::max(first, *since);
  }
  const Sequence last = query.size == 0 ? std::numeric_limits<Sequence>::max() : query.size;
  wire::PageT page;
  if (first > last) return page;
  const std::size_t asked = query.rows_max == 0 ? limits::kQueryRowsMax : query.rows_max;
  const auto wanted = std::min<std::uint64_t>({asked, limits::kQueryRowsMax, last - first + 1});
  const auto found = ledger_.read(first, wanted, limits::kDeliverBytesMax);
  if (!found) return tl::unexpected(found.error());
  for (const auto& entry : *found) {
    if (query.last_at != 0 && entry.header.appended_at.us > query.last_at) return page;
    auto row = std::make_unique<wire::RowT>();
    row->entry = storage::encode(entry);
    if (row->entry.size() > kRowBytesMax) {
      return fail(ErrorKind::invalid, "entry " + std::to_string(entry.header.sequence) +
                                          " is larger than a frame: carehub audit prove --ledger reads it");
    }
    row->sequence = entry.header.sequence;
    row->appended_at = entry.header.appended_at.us;
    row->kind = storage::to_string(entry.header.kind);
    page.next_after = entry.header.sequence;
    page.rows.push_back(std::move(row));
  }
  page.more = !page.rows.empty() && page.next_after < std::min(last, ledger_.head());
  return page;
}

}  // namespace carehub::server
