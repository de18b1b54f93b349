#include "broker/app/sealed_rows.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "broker/storage/verify_note.hpp"
#include "broker/storage/verify_tree.hpp"
#include "tests/fakes/sealed_entries.hpp"

using namespace carehub;

TEST_CASE("a sealed entry's line holds all its bytes") {
  const auto entry = fakes::sealed_entry(3, 42);
  const auto json = app::sealed_json(entry);
  CHECK(json.starts_with(R"({"sequence":42,)"));
  CHECK(json.find(to_hex(entry.leaf)) != std::string::npos);
  const std::string name = R"("entry":")";
  const auto at = json.find(name) + name.size();
  const auto bytes = storage::verify::from_base64(json.substr(at, json.find('"', at) - at));
  REQUIRE(bytes);
  CHECK(*bytes == storage::encode(entry));
  const auto data = storage::verify::from_base64(app::leaf_line(entry));
  REQUIRE(data);
  CHECK(storage::verify::leaf_of(*data) == entry.leaf);
  CHECK(std::ranges::count(app::sealed_csv_header(), ',') == std::ranges::count(app::sealed_csv(entry), ','));
}
