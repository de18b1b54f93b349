#include "tests/crash/promises.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>

#include "broker/storage/file.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_audit.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/rocks_state_store.hpp"
#include "broker/storage/sha256.hpp"
#include "broker/storage/signing_key.hpp"
#include "tests/fakes/awaited.hpp"

namespace carehub::crash {
namespace {

using storage::SealedEntry;

Hash hash_of(const SealedEntry& entry) { return storage::sha256({encode(entry)}); }

std::string row_key(Sequence sequence) {
  std::string key(sizeof sequence, '\0');
  for (std::size_t at = key.size(); at-- > 0; sequence >>= 8U) key[at] = static_cast<char>(sequence & 0xFFU);
  return key;
}

SealedEntry made_entry(fakes::SeededRandom& random, Sequence sequence, const KeyId& key,
                       std::size_t bytes_max) {
  SealedEntry entry;
  entry.header.kind = storage::EntryKind::event;
  entry.header.sequence = sequence;
  entry.header.appended_at = {static_cast<std::int64_t>(1'700'000'000'000'000 + sequence)};
  entry.header.key_id = key;
  random.fill(entry.nonce);
  entry.ciphertext.resize(storage::kTagBytes + random.below(bytes_max));
  random.fill(entry.ciphertext);
  entry.header.length = static_cast<std::uint32_t>(entry.ciphertext.size());
  entry.leaf = storage::leaf_hash(entry.header, entry.nonce, entry.ciphertext);
  return entry;
}

SystemRandom& system_random() {
  static SystemRandom random;
  return random;
}

/// One line that tells the operator what to do.
void require_clear(const Error& error) {
  CAPTURE(error.text);
  CHECK(error.kind == ErrorKind::unavailable);
  CHECK(error.text.find('\n') == std::string::npos);
  CHECK(error.text.find("restart") != std::string::npos);
}

}  // namespace

struct Promises::Stores {
  std::unique_ptr<storage::RocksLedger> ledger;
  std::unique_ptr<storage::Vault> vault;
  std::unique_ptr<storage::RocksStateStore> state;

  static Result<Stores> open(const std::filesystem::path& data) {
    Stores stores;
    if (auto made = storage::make_writable_directory(data); !made) return tl::unexpected(made.error());
    auto vault = storage::open_vault(data / "vault", data / "master.key", system_random());
    if (!vault) return tl::unexpected(vault.error());
    stores.vault = std::move(vault->vault);
    auto signer = storage::open_signing_key({data / "signing.key", data / storage::kCheckpointKeysFile},
                                            "carehub/crash", system_random());
    if (!signer) return tl::unexpected(signer.error());
    auto ledger = storage::RocksLedger::open(data, std::move(*signer));
    if (!ledger) return tl::unexpected(ledger.error());
    stores.ledger = std::move(ledger->ledger);
    auto state = storage::RocksStateStore::open(data);
    if (!state) return tl::unexpected(state.error());
    stores.state = std::move(*state);
    return stores;
  }

  Result<void> close() const {
    Result<void> closed = ledger->close();
    const Result<void> state_closed = state->close();
    return closed ? state_closed : closed;
  }
};

void require_sound(const std::filesystem::path& data) {
  storage::AuditOptions options;
  options.fault = [](Sequence sequence, const std::string& text) { UNSCOPED_INFO(sequence << ": " << text); };
  const auto report = storage::audit_ledger(data, options);
  if (!report) FAIL(report.error().text);
  REQUIRE(report->faults == 0);
}

storage::RowChange row_of(Sequence sequence, const Hash& entry, std::size_t value_bytes) {
  std::string value(text_of(entry));
  value.resize(std::max(value_bytes, value.size()), 'v');
  return {row_key(sequence), std::move(value)};
}

std::vector<std::uint64_t> seeds(std::uint64_t count) {
  if (const char* const one = std::getenv("CRASH_SEED")) return {std::strtoull(one, nullptr, 10)};
  if (const char* const more = std::getenv("CRASH_SEEDS")) count = std::strtoull(more, nullptr, 10);
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= count; ++seed) all.push_back(seed);
  return all;
}

Result<void> Promises::live(const std::filesystem::path& data, const Life& life) {
  auto stores = Stores::open(data);
  if (!stores) return tl::unexpected(stores.error());
  account(*stores);
  ledger_failed_ = false;
  const std::size_t value_bytes = life.entry_bytes_max / 4;
  Result<void> done = catch_up(*stores, value_bytes);
  for (std::size_t batches = 0; done && batches < life.batches;) {
    const std::size_t some = 1 + random_.below(life.appends_waiting_max);
    done = append_some(*stores, life, some);
    batches += some;
    if (done) done = catch_up(*stores, value_bytes);
  }
  if (!done) {
    require_refusal(*stores, life);
    static_cast<void>(stores->close());
    return done;
  }
  return life.closes ? stores->close() : Result<void>();
}

/// All that was receipted is there, byte for byte; what is there beyond was tried, and whole batches of it.
void Promises::account(const Stores& stores) {
  const Sequence head = stores.ledger->head();
  CAPTURE(seed_, head, receipted_, entries_.size());
  REQUIRE(head >= receipted_);
  REQUIRE(head <= entries_.size());
  REQUIRE(batch_ends_.contains(head));
  for (Sequence at = 1; at <= head;) {
    const auto read = stores.ledger->read(at, 1000, 4U << 20U);
    if (!read) FAIL(read.error().text);
    REQUIRE(!read->empty());
    for (const SealedEntry& entry : *read) {
      CAPTURE(at);
      REQUIRE(hash_of(entry) == entries_[at - 1]);
      const auto key = stores.vault->key(entry.header.key_id);
      if (!key) FAIL(key.error().text);
      ++at;
    }
  }
  const auto beyond = stores.ledger->read(head + 1, 10, 1U << 20U);
  REQUIRE(beyond);
  REQUIRE(beyond->empty());
  entries_.resize(head);
  batch_ends_.erase(batch_ends_.upper_bound(head), batch_ends_.end());
  receipted_ = head;
  account_for_keys(*stores.vault);
  account_for_state(*stores.state);
}

void Promises::require_nothing_hidden(const storage::Ledger& ledger) const {
  CAPTURE(seed_, receipted_);
  REQUIRE(ledger.head() >= receipted_);
  for (Sequence at = 1; at <= receipted_; ++at) {
    CAPTURE(at);
    const auto read = ledger.read(at, 1, 1);
    if (read) {
      REQUIRE(read->size() == 1);
      REQUIRE(hash_of(read->front()) == entries_[at - 1]);
    } else {
      REQUIRE(read.error().kind == ErrorKind::corrupt);
    }
  }
}

void Promises::account_for_keys(const storage::Vault& vault) const {
  for (const auto& [id, bytes] : keys_) {
    const auto key = vault.key(id);
    if (!key) FAIL(key.error().text);
    REQUIRE(key->bytes() == bytes);
  }
}

/// A prefix of what was folded, whole, and never more than the ledger holds.
void Promises::account_for_state(const storage::StateStore& state) const {
  const Sequence applied = state.applied();
  REQUIRE(applied <= entries_.size());
  const auto rows = state.scan("", "", entries_.size() + 1);
  if (!rows) FAIL(rows.error().text);
  REQUIRE(rows->size() == applied);
  for (Sequence at = 1; at <= applied; ++at) {
    const storage::Row& row = (*rows)[at - 1];
    REQUIRE(row.key == row_key(at));
    REQUIRE(row.value.starts_with(text_of(entries_[at - 1])));
  }
}

Result<void> Promises::catch_up(Stores& stores, std::size_t value_bytes) const {
  const Sequence head = stores.ledger->head();
  while (stores.state->applied() < head) {
    const auto read = stores.ledger->read(stores.state->applied() + 1, 5, 4U << 20U);
    if (!read) return tl::unexpected(read.error());
    std::vector<storage::RowChange> rows;
    for (const SealedEntry& entry : *read)
      rows.push_back(row_of(entry.header.sequence, hash_of(entry), value_bytes));
    if (Result<void> put = stores.state->apply(rows, read->back().header.sequence); !put) return put;
  }
  return {};
}

Result<std::vector<SealedEntry>> Promises::make_batch(Stores& stores, const Life& life) {
  std::vector<SealedEntry> batch;
  const std::size_t count = 1 + random_.below(4);
  while (batch.size() < count) {
    const auto id = stores.vault->mint();
    if (!id) return tl::unexpected(id.error());
    const auto key = stores.vault->key(*id);
    REQUIRE(key);
    const bool is_new = keys_.emplace(*id, key->bytes()).second;
    REQUIRE(is_new);
    batch.push_back(made_entry(random_, entries_.size() + 1, *id, life.entry_bytes_max));
    entries_.push_back(hash_of(batch.back()));
  }
  batch_ends_.insert(entries_.size());
  return batch;
}

Result<void> Promises::append_some(Stores& stores, const Life& life, std::size_t batches) {
  const fakes::Awaited<Result<Sequence>> results;
  std::vector<Sequence> ends;
  Result<void> outcome;
  for (std::size_t at = 0; at < batches && outcome; ++at) {
    auto batch = make_batch(stores, life);
    if (!batch) {
      outcome = tl::unexpected(batch.error());
    } else {
      ends.push_back(batch->back().header.sequence);
      stores.ledger->append(std::move(*batch), fakes::into(results));
    }
  }
  for (std::size_t at = 0; at < ends.size(); ++at) {
    const Result<Sequence> result = results.get(at);
    if (result) {
      REQUIRE(*result == ends[at]);
      REQUIRE(outcome);  // none completes after one that failed
      receipted_ = *result;
    } else if (outcome) {
      require_clear(result.error());
      ledger_failed_ = true;
      outcome = tl::unexpected(result.error());
    }
  }
  return outcome;
}

/// A ledger that failed takes nothing more, even where the disk has come back.
void Promises::require_refusal(Stores& stores, const Life& life) {
  CAPTURE(seed_);
  CHECK(stores.ledger->head() == receipted_);
  if (!ledger_failed_) return;
  const fakes::Awaited<Result<Sequence>> results;
  const KeyId key;
  stores.ledger->append({made_entry(random_, entries_.size() + 1, key, life.entry_bytes_max)},
                        fakes::into(results));
  const Result<Sequence> result = results.get();
  REQUIRE(!result);
  require_clear(result.error());
  const auto beyond = stores.ledger->read(receipted_ + 1, 10, 1U << 20U);
  if (beyond) CHECK(beyond->empty());
}

}  // namespace carehub::crash
