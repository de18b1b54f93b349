#include "broker/app/hub_tree.hpp"

#include <catch2/catch.hpp>

#include "broker/storage/verify_proof.hpp"
#include "tests/unit/app/small_county.hpp"

using namespace carehub;
using test::RunningCounty;
using test::SmallCounty;
using test::Told;

TEST_CASE("a running hub's entries are read a page at a time, and each is proven under one checkpoint") {
  const RunningCounty county;
  for (int each = 0; each < 3; ++each) REQUIRE(county.publish(SmallCounty::flag("")) == app::ExitCode::ok);
  const auto hub = county.connect("");
  Told told;
  app::HubTree tree(*hub, told.surroundings);
  const auto head = tree.head();
  REQUIRE(head);
  const auto signed_tree = tree.signed_tree(*head);
  REQUIRE(signed_tree);
  CHECK(signed_tree->checkpoint.size >= *head);
  wire::QueryT question;
  question.sequence = 2;
  question.size = *head;
  question.by = "a test";
  question.reason = "a test";
  question.rows_max = 2;
  Sequence next = 2;
  const auto count = tree.each_entry(question, [&](const storage::SealedEntry& entry) {
    CHECK(entry.header.sequence == next++);
    const auto proof = tree.prove(entry, *signed_tree);
    REQUIRE(proof);
    const auto parsed = storage::verify::parse_proof(*proof);
    REQUIRE(parsed);
    CHECK(parsed->index == entry.header.sequence - 1);
    return Result<void>();
  });
  REQUIRE(count);
  CHECK(*count == *head - 1);
  const auto stopped = tree.each_entry(question, [](const storage::SealedEntry&) {
    return Result<void>(fail(ErrorKind::unavailable, "the disk is full"));
  });
  REQUIRE(!stopped);
  CHECK(stopped.error().text == "the disk is full");
}

TEST_CASE("a checkpoint over entries that do not come is given up when the command is stopped") {
  const RunningCounty county;
  const auto hub = county.connect("");
  Told told;
  told.stop = true;
  app::HubTree tree(*hub, told.surroundings);
  const auto signed_tree = tree.signed_tree(1'000'000);
  REQUIRE(!signed_tree);
  CHECK(signed_tree.error().kind == ErrorKind::unavailable);
}
