// The key that signs is made and replaced, and the disk fails or the power goes at each operation of it.
#include "broker/storage/signing_key.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/server/hub.hpp"
#include "broker/server/rotate.hpp"
#include "broker/storage/file_vault.hpp"
#include "broker/storage/rocks_ledger.hpp"
#include "broker/storage/sealer.hpp"
#include "schemas/ledger_generated.h"
#include "tests/crash/disk.hpp"
#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;
using crash::Disk;
using crash::Fault;
namespace fs = std::filesystem;

namespace {

const std::string kOrigin = "carehub/northmarch";
constexpr std::uint64_t kOperationsMax = 1000;

SigningPlace place_in(const fs::path& data) {
  return {data / server::kSigningKeyFile, data / kCheckpointKeysFile};
}

Result<CheckpointSigner> open_in(const fs::path& data, Random& random) {
  return open_signing_key(place_in(data), kOrigin, random);
}

/// What the disk holds after the cut; the modes of files are not part of the played disk.
void survive(const Disk& disk, std::uint64_t seed, const fs::path& into) {
  fakes::SeededRandom dice(seed);
  disk.survivors(dice, into);
  for (const auto& file : fs::recursive_directory_iterator(into)) {
    if (file.is_regular_file()) fs::permissions(file, fs::perms(0600));
  }
}

CheckpointSigner rotated_in(const fs::path& data, Random& random) {
  auto next = CheckpointSigner::make(kOrigin, random);
  REQUIRE(next);
  REQUIRE(rotate_signing_key(place_in(data), *next, 1'000));
  return *next;
}

/// The public keys that are on record in a stopped hub's ledger.
std::vector<std::string> recorded_keys(const fs::path& data, Random& random) {
  const auto vault = open_vault(data / server::kVaultFile, {}, random);
  const auto opened = RocksLedger::open(data);
  REQUIRE((vault && opened));
  const Sealer sealer(*vault->vault, random);
  const auto entries = opened->ledger->read(1, 1'000, 1U << 20U);
  REQUIRE(entries);
  std::vector<std::string> keys;
  for (const auto& entry : *entries) {
    const auto body = sealer.open(entry);
    REQUIRE(body);
    const auto* action = ledger::GetBody(body->data())->entry_as_OperatorAction();
    REQUIRE(action != nullptr);
    keys.push_back(action->detail()->str());
  }
  return keys;
}

}  // namespace

TEST_CASE("a signing key whose making the power cuts short is made at the next start") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < kOperationsMax);
    const fakes::TemporaryDirectory root;
    Disk disk(root.path());
    disk.plan({Fault::Kind::power_cut, at});
    const auto made = open_in(root.path(), random);
    happened = disk.happened();
    disk.cut();
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      INFO("operation " << at << ", seed " << seed);
      const fakes::TemporaryDirectory after;
      survive(disk, seed, after.path());
      const auto opened = open_in(after.path(), random);
      if (!opened) FAIL(opened.error().text);
      if (made) CHECK(opened->public_text() == made->public_text());
      CHECK(listed_keys(place_in(after.path()).public_file)->size() == 1);
    }
  }
}

TEST_CASE("a disk that is full or fails while a signing key is made keeps no later start from making it") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < kOperationsMax);
    for (const auto kind : {Fault::Kind::error, Fault::Kind::errors}) {
      INFO("operation " << at);
      const fakes::TemporaryDirectory root;
      Disk disk(root.path());
      disk.plan({kind, at, ENOSPC});
      const auto made = open_in(root.path(), random);
      happened = disk.happened();
      if (happened && !made) CHECK(made.error().kind == ErrorKind::unavailable);
      disk.plan({});
      const auto opened = open_in(root.path(), random);
      if (!opened) FAIL(opened.error().text);
    }
  }
}

TEST_CASE("of a rotation that the power cuts short there is the old key or the new one, or start refuses") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; ++at) {
    REQUIRE(at < kOperationsMax);
    const fakes::TemporaryDirectory root;
    Disk disk(root.path());
    const auto old = open_in(root.path(), random);
    REQUIRE(old);
    const auto next = CheckpointSigner::make(kOrigin, random);
    REQUIRE(next);
    disk.plan({Fault::Kind::power_cut, at});
    const auto rotated = rotate_signing_key(place_in(root.path()), *next, 1'000);
    happened = disk.happened();
    disk.cut();
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      INFO("operation " << at << ", seed " << seed);
      const fakes::TemporaryDirectory after;
      survive(disk, seed, after.path());
      const auto opened = open_in(after.path(), random);
      if (rotated) REQUIRE(opened);
      if (opened) {
        const std::string key = opened->public_text();
        CHECK((key == next->public_text() || (!rotated && key == old->public_text())));
      } else {
        CHECK(opened.error().kind == ErrorKind::corrupt);
      }
      const auto keys = listed_keys(place_in(after.path()).public_file);
      REQUIRE(keys);
      CHECK(verify::signer_of(*verify::parse_checkpoint(old->sign(1, Hash{})), *keys));
      const auto last = rotated_in(after.path(), random);
      CHECK(open_in(after.path(), random)->public_text() == last.public_text());
    }
  }
}

TEST_CASE("no signing key is listed before it is on record, whenever the power goes") {
  SystemRandom random;
  bool happened = true;
  for (std::uint64_t at = 1; happened; at += 3) {
    INFO("operation " << at);
    REQUIRE(at < kOperationsMax);
    const fakes::TemporaryDirectory root;
    Disk disk(root.path());
    REQUIRE(open_in(root.path(), random));
    REQUIRE(RocksLedger::open(root.path()));
    REQUIRE(open_vault(root.path() / server::kVaultFile, {}, random));
    server::RotateSigningOptions options;
    options.data = root.path();
    options.reason = "a test";
    disk.plan({Fault::Kind::power_cut, at});
    static_cast<void>(server::rotate_signing_key(options));
    happened = disk.happened();
    disk.cut();
    const fakes::TemporaryDirectory after;
    survive(disk, at, after.path());
    options.data = after.path();
    const auto again = server::rotate_signing_key(options);
    if (!again) FAIL(again.error().text);
    const auto last = open_in(after.path(), random);
    REQUIRE(last);
    const auto recorded = recorded_keys(after.path(), random);
    REQUIRE(!recorded.empty());
    CHECK(recorded.back() == last->public_text());
    const auto listed = listed_keys(place_in(after.path()).public_file);
    REQUIRE(listed);
    for (std::size_t key = 1; key < listed->size(); ++key) {
      CHECK(std::any_of(recorded.begin(), recorded.end(), [&](const std::string& text) {
        return verify::parse_key(text)->bytes == (*listed)[key].bytes;
      }));
    }
  }
}
