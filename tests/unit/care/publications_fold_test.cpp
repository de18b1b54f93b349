#include "broker/care/publications_fold.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/care/row_keys.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "tests/fakes/packed_table.hpp"

using namespace carehub;
using namespace carehub::care;

namespace {

constexpr Fingerprint kMessage{1};
constexpr Fingerprint kChanged{2};
constexpr KeyedHash kIdentity{{1}};

void fold(Rows& rows, Sequence sequence, const Fingerprint& message, const KeyedHash& identity,
          bool reused = false) {
  ledger::EventEntryT entry;
  if (reused) entry.marks = {ledger::Mark::before_admission, ledger::Mark::id_reused};
  entry.fingerprint = std::make_unique<ledger::Fingerprint>(to_ledger(message));
  entry.identity = std::make_unique<ledger::Key>(to_ledger(identity));
  FoldEntry header;
  header.sequence = sequence;
  header.appended_at = {static_cast<std::int64_t>(sequence * 10)};
  REQUIRE(fold_publications(header, *fakes::PackedTable(entry), rows));
}

}  // namespace

TEST_CASE("a message that came before is found with its receipt's number and time") {
  storage::MemoryStateStore store;
  Rows rows(store);
  fold(rows, 5, kMessage, kIdentity);
  const auto known = *known_publication(rows, kMessage, kIdentity);
  CHECK(known.same == 5);
  CHECK(known.appended_at == Timestamp{50});
  CHECK(known.identity_seen);
}

TEST_CASE("an identity with other content is seen, and is not the same message") {
  storage::MemoryStateStore store;
  Rows rows(store);
  fold(rows, 5, kMessage, kIdentity);
  const auto known = *known_publication(rows, kChanged, kIdentity);
  CHECK(known.same == 0);
  CHECK(known.identity_seen);
  CHECK_FALSE(known_publication(rows, kChanged, KeyedHash{{2}})->identity_seen);
}

TEST_CASE("each content of one identity keeps its own receipt") {
  storage::MemoryStateStore store;
  Rows rows(store);
  fold(rows, 5, kMessage, kIdentity);
  fold(rows, 6, kChanged, kIdentity, true);
  fold(rows, 7, Fingerprint{3}, kIdentity, true);
  CHECK(known_publication(rows, kMessage, kIdentity)->same == 5);
  CHECK(known_publication(rows, kChanged, kIdentity)->same == 6);
  CHECK(known_publication(rows, Fingerprint{3}, kIdentity)->same == 7);
  CHECK(known_publication(rows, Fingerprint{4}, kIdentity)->same == 0);
}

TEST_CASE("an entry without fingerprint and identity leaves nothing to find") {
  storage::MemoryStateStore store;
  Rows rows(store);
  REQUIRE(fold_publications({}, *fakes::PackedTable(ledger::EventEntryT()), rows));
  CHECK(rows.scan("", "", 10)->empty());
}

TEST_CASE("a refused message is found by its fingerprint, and leaves nothing where it has none") {
  storage::MemoryStateStore store;
  Rows rows(store);
  FoldEntry header;
  header.sequence = 8;
  header.appended_at = {80};
  ledger::RefusalT refusal;
  fold_refused(header, *fakes::PackedTable(refusal), rows);
  CHECK(rows.scan("", "", 10)->empty());
  refusal.fingerprint = std::make_unique<ledger::Fingerprint>(to_ledger(kMessage));
  fold_refused(header, *fakes::PackedTable(refusal), rows);
  const auto known = *known_publication(rows, kMessage, {});
  CHECK(known.same == 8);
  CHECK(known.appended_at == Timestamp{80});
}

TEST_CASE("a publication's row that is cut short is corrupt, never a fresh message") {
  storage::MemoryStateStore store;
  Rows rows(store);
  rows.put(row_keys::identity(kIdentity), "short");
  CHECK(known_publication(rows, kMessage, kIdentity).error().kind == ErrorKind::corrupt);
}
