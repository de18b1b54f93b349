#include "broker/storage/mark.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/fakes/temporary_directory.hpp"

using namespace carehub;
using namespace carehub::storage;

namespace {

constexpr std::size_t kSlotBytes = 4096;

Hash leaf(std::uint64_t number) {
  Hash hash{};
  hash[0] = static_cast<std::uint8_t>(number);
  return hash;
}

MerkleFrontier tree_of(std::uint64_t size) {
  MerkleFrontier tree;
  while (tree.size() < size) tree.append(leaf(tree.size()));
  return tree;
}

void tear(const std::filesystem::path& file, std::size_t slot) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(slot * kSlotBytes + 20));
  stream << "torn";
}

}  // namespace

TEST_CASE("a mark tells the last checkpoint and the last size that was marked") {
  fakes::TemporaryDirectory directory;
  const auto file = directory.path() / "mark";
  {
    auto mark = Mark::open(file);
    REQUIRE(mark);
    CHECK(mark->made());
    CHECK(!mark->found());
    REQUIRE(mark->write_checkpoint(tree_of(5), leaf(4)));
    for (std::uint64_t size = 6; size <= 9; ++size) REQUIRE(mark->write_mark(tree_of(size)));
  }
  auto mark = Mark::open(file);
  REQUIRE(mark->found());
  CHECK(!mark->made());
  CHECK(mark->found()->checkpoint.root() == tree_of(5).root());
  CHECK(mark->found()->last_leaf == leaf(4));
  CHECK(mark->found()->size == 9);
  CHECK(mark->found()->root == tree_of(9).root());
  CHECK(!mark->found()->damaged);

  REQUIRE(mark->write_checkpoint(tree_of(12), leaf(11)));
  mark = tl::unexpected(Error{});
  const auto later = Mark::open(file);
  CHECK(later->found()->size == 12);
  CHECK(later->found()->root == tree_of(12).root());
}

TEST_CASE("a torn slot leaves the one that was written before it") {
  fakes::TemporaryDirectory directory;
  const auto file = directory.path() / "mark";
  {
    auto mark = Mark::open(file);
    REQUIRE(mark->write_checkpoint(tree_of(3), leaf(2)));  // slot 0
    REQUIRE(mark->write_checkpoint(tree_of(5), leaf(4)));  // slot 1
    REQUIRE(mark->write_mark(tree_of(6)));                 // slot 2
    REQUIRE(mark->write_mark(tree_of(7)));                 // slot 3
  }
  std::uint64_t checkpoint = 5;
  std::uint64_t size = 7;
  SECTION("the newest checkpoint") {
    tear(file, 1);
    checkpoint = 3;
  }
  SECTION("the newest mark") {
    tear(file, 3);
    size = 6;
  }
  SECTION("both marks") {
    tear(file, 2);
    tear(file, 3);
    size = 5;
  }
  auto mark = Mark::open(file);
  REQUIRE(mark->found());
  CHECK(mark->found()->damaged);
  CHECK(mark->found()->checkpoint.size() == checkpoint);
  CHECK(mark->found()->size == size);
  CHECK(mark->found()->root == tree_of(size).root());
  // The torn slot is the next one to be written.
  REQUIRE(mark->write_checkpoint(tree_of(8), leaf(7)));
  REQUIRE(mark->write_mark(tree_of(9)));
  mark = tl::unexpected(Error{});
  CHECK(Mark::open(file)->found()->size == 9);
}

TEST_CASE("without a readable checkpoint a mark says nothing") {
  fakes::TemporaryDirectory directory;
  const auto file = directory.path() / "mark";
  REQUIRE(Mark::open(file)->write_checkpoint(tree_of(3), leaf(2)));
  tear(file, 0);
  CHECK(!Mark::open(file)->found());
}

TEST_CASE("a mark is one process's at a time") {
  fakes::TemporaryDirectory directory;
  const auto first = Mark::open(directory.path() / "mark");
  REQUIRE(first);
  CHECK(Mark::open(directory.path() / "mark").error().kind == ErrorKind::unavailable);
}

TEST_CASE("a mark that is reset knows the smaller tree alone, and goes on from it") {
  fakes::TemporaryDirectory directory;
  const auto file = directory.path() / "mark";
  {
    auto mark = Mark::open(file);
    REQUIRE(mark->write_checkpoint(tree_of(8), leaf(7)));
    REQUIRE(mark->write_checkpoint(tree_of(9), leaf(8)));
    REQUIRE(mark->write_mark(tree_of(12)));
    REQUIRE(mark->reset(tree_of(5), leaf(4)));
  }
  {
    auto mark = Mark::open(file);
    REQUIRE(mark->found());
    CHECK(mark->found()->size == 5);
    CHECK(mark->found()->root == tree_of(5).root());
    CHECK(mark->found()->last_leaf == leaf(4));
    CHECK_FALSE(mark->found()->damaged);
    REQUIRE(mark->write_mark(tree_of(6)));
  }
  CHECK(Mark::open(file)->found()->size == 6);
}
