#include "broker/server/tree_answers.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "broker/storage/checkpoint.hpp"
#include "broker/storage/memory_ledger.hpp"
#include "broker/storage/proof_file.hpp"
#include "broker/storage/verify_proof.hpp"
#include "broker/storage/verify_tree.hpp"
#include "tests/fakes/sealed_entries.hpp"
#include "tests/fakes/tcp_peer.hpp"
#include "tests/unit/server/running_hub.hpp"

using namespace carehub;
using carehub::fakes::Awaited;
using server::TreeAnswers;

namespace {

constexpr std::uint64_t kSeed = 11;

/// A ledger of so many entries, whose key signs.
struct SignedLedger {
  explicit SignedLedger(std::size_t entries) {
    ledger.sign_with(signer);
    append(entries);
  }
  ~SignedLedger() { REQUIRE(ledger.close()); }

  void append(std::size_t entries) {
    if (entries > 0)
      ledger.append(fakes::sealed_batch(kSeed, ledger.head() + 1, entries), [](const Result<Sequence>&) {});
  }

  fakes::SeededRandom random{kSeed};
  storage::CheckpointSigner signer = *storage::CheckpointSigner::make("carehub/test", random);
  storage::MemoryLedger ledger;
  TreeAnswers tree{ledger};
};

wire::QueryT question(wire::QueryKind kind) {
  wire::QueryT query;
  query.number = 5;
  query.kind = kind;
  return query;
}

wire::QueryT proof_of(Sequence sequence, std::uint64_t size = 0) {
  auto query = question(wire::QueryKind::proof);
  query.sequence = sequence;
  query.size = size;
  return query;
}

std::vector<Bytes> hashes_of(const wire::RowT& row) {
  std::vector<Bytes> hashes;
  for (const auto& each : row.hashes) hashes.emplace_back(each.bytes()->begin(), each.bytes()->end());
  return hashes;
}

}  // namespace

TEST_CASE("an entry's hashes lead to the checkpoint that comes with them, and so do an earlier tree's") {
  const SignedLedger hub(700);
  const auto read = [&](Sequence sequence) { return hub.ledger.read(sequence, 1, 1)->front(); };
  for (const Sequence sequence : {1, 2, 256, 257, 513, 700}) {
    const auto page = hub.tree.answer(proof_of(sequence));
    REQUIRE(page.rows.size() == 1);
    CHECK(page.number == 5);
    const auto checkpoint = storage::verify::parse_checkpoint(page.rows[0]->text);
    REQUIRE(checkpoint);
    CHECK(storage::verify::inclusion(sequence - 1, checkpoint->size, read(sequence).leaf,
                                     hashes_of(*page.rows[0]), checkpoint->root));
    CHECK(!storage::verify::inclusion(sequence % 700, checkpoint->size, read(sequence).leaf,
                                      hashes_of(*page.rows[0]), checkpoint->root));
  }
  for (const std::uint64_t earlier : {1, 255, 256, 300, 700}) {
    SignedLedger then(earlier);
    const auto before = storage::verify::parse_checkpoint(*then.ledger.checkpoint());
    const auto page = hub.tree.answer(proof_of(0, earlier));
    REQUIRE(page.rows.size() == 1);
    const auto now = storage::verify::parse_checkpoint(page.rows[0]->text);
    CHECK(storage::verify::consistency(before->size, now->size, hashes_of(*page.rows[0]), before->root,
                                       now->root));
  }
}

TEST_CASE("a proof is of one entry or one earlier size, and of no more than is signed for") {
  const SignedLedger hub(3);
  CHECK(hub.tree.answer(proof_of(0)).error == wire::ErrorKind::invalid);
  CHECK(hub.tree.answer(proof_of(1, 1)).error == wire::ErrorKind::invalid);
  CHECK(hub.tree.answer(proof_of(4)).error == wire::ErrorKind::not_found);
  CHECK(hub.tree.answer(proof_of(0, 4)).error == wire::ErrorKind::not_found);
  CHECK(hub.tree.answer(proof_of(std::numeric_limits<std::uint64_t>::max())).error ==
        wire::ErrorKind::not_found);
}

TEST_CASE("a tree is put together out of nothing but the tiles that a hub answers") {
  SignedLedger hub(700);
  const auto signed_for = hub.tree.answer(question(wire::QueryKind::checkpoint));
  REQUIRE(signed_for.rows.size() == 1);
  CHECK(signed_for.rows[0]->sequence == 700);
  const auto checkpoint = storage::verify::parse_checkpoint(signed_for.rows[0]->text);
  REQUIRE(checkpoint);
  hub.append(400);  // it has grown meanwhile; the tiles of the smaller tree are still there
  storage::TreeReader reader(checkpoint->size, [&](storage::TileId id, std::size_t width) {
    auto query = question(wire::QueryKind::tile);
    query.path = storage::tile_path(id, width);
    const auto page = hub.tree.answer(query);
    storage::Tile tile(width);
    REQUIRE(page.rows.size() == 1);
    REQUIRE(page.rows[0]->hashes.size() == width);
    for (std::size_t at = 0; at < width; ++at)
      std::copy_n(page.rows[0]->hashes[at].bytes()->begin(), sizeof(Hash), tile[at].begin());
    return Result<storage::Tile>(std::move(tile));
  });
  CHECK(reader.root() == checkpoint->root);
}

TEST_CASE("a tile that the tree does not have, or that no tile is called, is told") {
  const SignedLedger hub(3);
  auto query = question(wire::QueryKind::tile);
  query.path = "tile/0/000";
  CHECK(hub.tree.answer(query).error == wire::ErrorKind::not_found);
  query.path = "tile/0/000.p/3";
  CHECK(hub.tree.answer(query).error == wire::ErrorKind::unknown);
  for (const auto* path : {"", "tile/0/000.p/4", "tile/entries/000", "tile/9/000", "/etc/passwd"}) {
    query.path = path;
    CHECK(hub.tree.answer(query).error != wire::ErrorKind::unknown);
  }
}

TEST_CASE("entries are given as they are sealed, page after page, between numbers and between times") {
  const SignedLedger hub(1200);
  auto query = question(wire::QueryKind::entries);
  query.sequence = 100;
  query.size = 1150;
  std::vector<Sequence> seen;
  for (;;) {
    const auto page = hub.tree.answer(query);
    REQUIRE(page.error == wire::ErrorKind::unknown);
    for (const auto& row : page.rows) {
      seen.push_back(row->sequence);
      const auto entry = storage::decode(row->entry, row->sequence);
      REQUIRE(entry);
      CHECK(row->kind == storage::to_string(entry->header.kind));
      CHECK(row->appended_at == entry->header.appended_at.us);
    }
    if (!page.more) break;
    CHECK(page.rows.size() <= limits::kQueryRowsMax);
    query.after = page.next_after;
  }
  CHECK(seen.size() == 1051);
  CHECK(seen.front() == 100);
  CHECK(seen.back() == 1150);

  auto times = question(wire::QueryKind::entries);
  const auto at = [&](Sequence sequence) {
    return hub.ledger.read(sequence, 1, 1)->front().header.appended_at.us;
  };
  times.first_at = at(200);
  times.last_at = at(210);
  const auto page = hub.tree.answer(times);
  REQUIRE(page.rows.size() == 11);
  CHECK(page.rows.front()->sequence == 200);
  CHECK_FALSE(page.more);
  times.first_at = at(1200) + 1;
  CHECK(hub.tree.answer(times).rows.empty());
}

TEST_CASE("a ledger without a signing key has no checkpoint to answer with") {
  storage::MemoryLedger ledger;
  const TreeAnswers tree(ledger);
  CHECK(tree.answer(question(wire::QueryKind::checkpoint)).error == wire::ErrorKind::not_found);
  CHECK(tree.answer(proof_of(1)).error == wire::ErrorKind::not_found);
  REQUIRE(ledger.close());
}

TEST_CASE("any agency's client sees the tree of a running hub, and only an operator's the sealed entries") {
  const test::RunningHub running;
  const auto council = test::open_client(running.ipc_options("northmarch-council"));
  const auto auditor = test::open_client(running.ipc_options(""));
  const auto ask = [](client::HubClient& client, wire::QueryT query) {
    Awaited<Result<client::Reply>> replies;
    REQUIRE(client.ask(std::move(query), fakes::into(replies)));
    auto reply = replies.get();
    REQUIRE(reply);
    return std::get<wire::PageT>(std::move(*reply));
  };
  REQUIRE(fakes::eventually([&] {
    const auto signed_for = ask(*council, question(wire::QueryKind::checkpoint));
    return signed_for.rows.size() == 1 && storage::verify::parse_checkpoint(signed_for.rows[0]->text);
  }));
  auto entries = question(wire::QueryKind::entries);
  entries.sequence = 1;
  entries.by = "an auditor";
  CHECK(ask(*auditor, entries).error == wire::ErrorKind::invalid);
  entries.reason = "case review 4";
  CHECK(ask(*council, entries).error == wire::ErrorKind::denied);
  const auto page = ask(*auditor, entries);
  REQUIRE_FALSE(page.rows.empty());
  CHECK(storage::decode(page.rows[0]->entry, 1));
  // The asking was written down before it was answered, so that it is on the page.
  CHECK(std::ranges::any_of(page.rows, [](const auto& row) { return row->kind == "access"; }));
}
