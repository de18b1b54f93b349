#include "broker/app/span_proof.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/sha256.hpp"

using namespace carehub;
using app::SpanProof;

TEST_CASE("every run of entries of every small tree leads to its root, and to no other with one left out") {
  storage::TileEdge tiles;
  std::vector<Hash> leaves;
  for (std::uint64_t size = 1; size <= 40; ++size) {
    leaves.push_back(storage::sha256({bytes_of(std::to_string(size))}));
    tiles.append(leaves.back());
    const auto read = [&](storage::TileId id, std::size_t width) -> Result<storage::Tile> {
      auto tile = tiles.tile(id, width);
      if (!tile) return fail(ErrorKind::not_found, "no such tile");
      return *std::move(tile);
    };
    for (Sequence first = 1; first <= size; ++first) {
      for (Sequence last = first; last <= size; ++last) {
        const auto proof = app::make_span_proof(first, last, size, read);
        REQUIRE(proof);
        std::vector<Hash> span(leaves.begin() + static_cast<std::ptrdiff_t>(first - 1),
                               leaves.begin() + static_cast<std::ptrdiff_t>(last));
        CHECK(app::root_of(*proof, span) == tiles.tree().root());
        std::swap(span.front(), span.back());
        if (first != last) CHECK(app::root_of(*proof, span) != tiles.tree().root());
        span.pop_back();
        CHECK(!app::root_of(*proof, span));
        if (first == last) continue;
        SpanProof shorter = *proof;
        --shorter.last;
        const auto root = app::root_of(shorter, span);
        CHECK((!root || *root != tiles.tree().root()));
      }
    }
    CHECK(!app::make_span_proof(0, 1, size, read));
    CHECK(!app::make_span_proof(1, size + 1, size, read));
    CHECK(!app::make_span_proof(2, 1, size, read));
  }
}
