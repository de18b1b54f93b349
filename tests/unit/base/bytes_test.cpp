#include "broker/base/bytes.hpp"

#include <catch2/catch.hpp>

using namespace carehub;

TEST_CASE("bytes are shown in lower-case hexadecimal") {
  CHECK(to_hex({}).empty());
  CHECK(to_hex(Bytes{0x00, 0x0F, 0xA0, 0xFF}) == "000fa0ff");
}

TEST_CASE("text and bytes are two views of the same memory") {
  const std::string text = "caf\xC3\xA9";
  CHECK(bytes_of(text).size() == 5);
  CHECK(text_of(bytes_of(text)) == text);
  CHECK(text_of(bytes_of(text)).data() == text.data());
}
