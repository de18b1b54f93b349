#include "broker/storage/memory_ledger.hpp"

#include <catch2/catch.hpp>

#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

struct Watched {
  MemoryLedger ledger;
  std::vector<Sequence> done;
  int failed = 0;

  void append(Sequence first, std::size_t count) {
    ledger.append(fakes::sealed_batch(1, first, count), [this](Result<Sequence> result) {
      if (result) {
        done.push_back(*result);
      } else {
        ++failed;
      }
    });
  }
};

}  // namespace

TEST_CASE("what is held is not durable until it is released, in order") {
  Watched watched;
  watched.append(1, 2);
  watched.ledger.hold();
  watched.append(3, 2);
  watched.append(5, 1);
  CHECK(watched.done == std::vector<Sequence>{2});
  CHECK(watched.ledger.head() == 2);
  CHECK(watched.ledger.read(3, 10, 10'000)->empty());
  watched.ledger.release_one();
  CHECK(watched.ledger.head() == 4);
  watched.ledger.release();
  CHECK(watched.done == std::vector<Sequence>{2, 4, 5});
}

TEST_CASE("a crash forgets what was not synced and never completes it") {
  Watched watched;
  watched.append(1, 2);
  watched.ledger.hold();
  watched.append(3, 2);
  watched.ledger.crash();
  CHECK(watched.ledger.head() == 2);
  watched.append(3, 1);
  CHECK(watched.done == std::vector<Sequence>{2, 3});
  CHECK(watched.failed == 0);
}

TEST_CASE("after a failed sync every append fails until a restart") {
  Watched watched;
  watched.ledger.hold();
  watched.append(1, 2);
  watched.ledger.fail_sync();
  watched.append(1, 2);
  CHECK(watched.failed == 2);
  CHECK(watched.done.empty());
  watched.ledger.crash();
  watched.append(1, 2);
  CHECK(watched.done == std::vector<Sequence>{2});
}

TEST_CASE("a damaged byte in memory is found on read") {
  Watched watched;
  watched.append(1, 3);
  watched.ledger.damage(2, 100, 0x10);
  CHECK(watched.ledger.read(1, 1, 1));
  const auto read = watched.ledger.read(2, 1, 1);
  REQUIRE(!read);
  CHECK(read.error().kind == ErrorKind::corrupt);
  CHECK(read.error().text.find("entry 2 ") != std::string::npos);
}
