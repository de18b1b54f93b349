#include "broker/storage/sha256.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace carehub;
using storage::sha256;

namespace {

std::string hex(std::initializer_list<BytesView> parts) { return to_hex(sha256(parts)); }

}  // namespace

TEST_CASE("the hash is SHA-256 as FIPS 180-4 has it") {
  CHECK(hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex({bytes_of("abc")}) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const Bytes million(1'000'000, 'a');
  CHECK(hex({million}) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("parts are hashed one after the other, wherever the cut is") {
  const std::string whole = hex({bytes_of("abc")});
  CHECK(hex({bytes_of("a"), bytes_of("bc")}) == whole);
  CHECK(hex({bytes_of("ab"), {}, bytes_of("c")}) == whole);
  CHECK(hex({bytes_of("ac"), bytes_of("b")}) != whole);
}

TEST_CASE("threads hash at the same time without touching each other") {
  const Hash expected = sha256({bytes_of("abc")});
  std::array<int, 4> right{};
  std::vector<std::thread> threads;
  for (int& count : right) {
    threads.emplace_back([&count, &expected] {
      for (int round = 0; round < 500; ++round) count += sha256({bytes_of("abc")}) == expected ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == std::array<int, 4>{500, 500, 500, 500});
}
