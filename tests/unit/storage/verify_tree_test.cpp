#include "broker/storage/verify_tree.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

using namespace carehub;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

fs::path corpus() {
  const char* named = std::getenv("CAREHUB_CORPUS");
  return (named != nullptr ? fs::path(named) : fs::path(CAREHUB_SOURCE_DIR) / "../shared/corpus") / "merkle";
}

Bytes from_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::uint8_t>((bits >> count) & 0xFFU));
  }
  return out;
}

Bytes bytes_at(const json::object& vector, const char* key) {
  const json::value* value = vector.if_contains(key);
  return value != nullptr && value->is_string() ? from_base64(std::string_view(value->as_string())) : Bytes();
}

std::vector<Bytes> proof_of(const json::object& vector) {
  std::vector<Bytes> proof;
  if (const json::value* hashes = vector.if_contains("proof"); hashes != nullptr && hashes->is_array()) {
    for (const json::value& hash : hashes->as_array())
      proof.push_back(from_base64(std::string_view(hash.as_string())));
  }
  return proof;
}

std::uint64_t number_at(const json::object& vector, const char* key) {
  return vector.at(key).to_number<std::uint64_t>();
}

Result<void> check(const json::object& vector) {
  if (vector.contains("leafIdx")) {
    return storage::verify::inclusion(number_at(vector, "leafIdx"), number_at(vector, "treeSize"),
                                      bytes_at(vector, "leafHash"), proof_of(vector),
                                      bytes_at(vector, "root"));
  }
  return storage::verify::consistency(number_at(vector, "size1"), number_at(vector, "size2"),
                                      proof_of(vector), bytes_at(vector, "root1"), bytes_at(vector, "root2"));
}

}  // namespace

TEST_CASE("the published proof vectors hold, and every one that is wrong is refused") {
  if (!fs::exists(corpus())) {
    WARN("SKIPPED: the corpus is not at " << corpus().string() << "; set CAREHUB_CORPUS");
    return;
  }
  unsigned good = 0;
  unsigned wrong = 0;
  for (const auto& file : fs::recursive_directory_iterator(corpus())) {
    if (file.path().extension() != ".json") continue;
    CAPTURE(file.path().string());
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const json::object vector = json::parse(text).as_object();
    const bool want_error = vector.contains("wantErr") && vector.at("wantErr").as_bool();
    ++(want_error ? wrong : good);
    const auto outcome = check(vector);
    CHECK(outcome.has_value() == !want_error);
    if (!outcome) CHECK(outcome.error().kind == ErrorKind::invalid);
  }
  CHECK(good >= 4);
  CHECK(wrong >= 70);
}

TEST_CASE("a leaf's hash is that of the published certificate transparency vectors") {
  CHECK(to_hex(storage::verify::leaf_of({})) ==
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

TEST_CASE("an empty tree is the beginning of every tree, and proves nothing of a leaf") {
  const Hash empty = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
                      0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
                      0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
  const Hash other = storage::verify::leaf_of({});
  CHECK(storage::verify::consistency(0, 5, {}, empty, other));
  CHECK(storage::verify::consistency(0, 0, {}, empty, empty));
  CHECK(!storage::verify::consistency(0, 5, {}, other, other));
  CHECK(!storage::verify::inclusion(0, 0, other, {}, empty));
  CHECK(storage::verify::inclusion(0, 1, other, {}, other));
}
