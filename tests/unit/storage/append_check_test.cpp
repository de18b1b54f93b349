#include "broker/storage/append_check.hpp"

#include <catch2/catch.hpp>

#include "broker/base/limits.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

constexpr std::uint64_t kSeed = 21;

void check_refused(const std::vector<SealedEntry>& batch, const std::string& why) {
  const auto checked = check_batch(batch, 5);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().kind == ErrorKind::invalid);
  CHECK(checked.error().text.find(why) != std::string::npos);
}

/// An entry of a given size whose leaf and length are right.
SealedEntry entry_of(Sequence sequence, std::size_t bytes) {
  SealedEntry entry = fakes::sealed_entry(kSeed, sequence);
  entry.ciphertext.assign(bytes, 7);
  entry.header.length = static_cast<std::uint32_t>(bytes);
  return entry;
}

}  // namespace

TEST_CASE("a batch that follows the head is taken, and its size is that of its bytes") {
  CHECK(check_batch(fakes::sealed_batch(kSeed, 5, 30), 5));
  for (Sequence at = 1; at < 20; ++at) {
    const SealedEntry entry = fakes::sealed_entry(kSeed, at);
    CHECK(encoded_size(entry) == encode(entry).size());
  }
}

TEST_CASE("a batch without entries or with too many is refused") {
  check_refused({}, "no entries");
  check_refused(fakes::sealed_batch(kSeed, 5, kAppendEntriesMax + 1), "over the limit of 65536");
  CHECK(check_batch(fakes::sealed_batch(kSeed, 5, kAppendEntriesMax), 5));
}

TEST_CASE("a batch that leaves a gap, repeats or goes back is refused, and the sequence named") {
  check_refused(fakes::sealed_batch(kSeed, 6, 1), "sequence 6 where 5 must follow");
  check_refused(fakes::sealed_batch(kSeed, 4, 1), "sequence 4 where 5 must follow");
  auto repeated = fakes::sealed_batch(kSeed, 5, 1);
  repeated.push_back(repeated.front());
  check_refused(repeated, "sequence 5 where 6 must follow");
}

TEST_CASE("an entry that no sealer made is refused") {
  auto leafless = fakes::sealed_batch(kSeed, 5, 2);
  leafless.back().leaf = {};
  check_refused(leafless, "entry 6 was not made by the sealer");
  auto longer = fakes::sealed_batch(kSeed, 5, 1);
  longer.front().ciphertext.push_back(0);
  check_refused(longer, "entry 5 was not made by the sealer");
}

TEST_CASE("a batch may be larger than where the loop stops taking in, and has a limit all the same") {
  std::vector<SealedEntry> batch;
  for (Sequence sequence = 5; sequence < 20; ++sequence)
    batch.push_back(entry_of(sequence, limits::kBatchBytesMax));
  CHECK(check_batch(batch, 5));
  batch.push_back(entry_of(20, limits::kBatchBytesMax));
  check_refused(batch, "bytes, over the limit");
}
