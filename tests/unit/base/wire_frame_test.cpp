#include "broker/base/wire_frame.hpp"

#include <catch2/catch.hpp>

#include "broker/base/ledger_keys.hpp"
#include "broker/base/limits.hpp"

using namespace carehub;

TEST_CASE("a message comes back out of its frame") {
  wire::HelloT hello;
  hello.client = "elwick-adt";
  hello.agency = "elwick-hospital";
  hello.last_receipt = 42;
  const auto bytes = frame_bytes(hello);
  const auto* frame = verified_frame(bytes);
  REQUIRE(frame != nullptr);
  CHECK(frame->major() == kWireMajor);
  CHECK(frame->minor() == kWireMinor);
  REQUIRE(frame->message_as_Hello() != nullptr);
  CHECK(frame->message_as_Hello()->agency()->str() == "elwick-hospital");
  CHECK(frame->message_as_Hello()->last_receipt() == 42);
}

TEST_CASE("bytes that are cut, foreign or too many are no frame") {
  const auto bytes = frame_bytes(wire::HeartbeatT{});
  REQUIRE(verified_frame(bytes) != nullptr);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(verified_frame(BytesView(bytes).first(size)) == nullptr);
  }
  auto foreign = bytes;
  foreign[4] = 'X';
  CHECK(verified_frame(foreign) == nullptr);
  CHECK(verified_frame(Bytes(limits::kFrameBytesMax + 8)) == nullptr);
}

TEST_CASE("a frame that names a verb and says nothing is no frame") {
  for (int verb = 1; verb <= static_cast<int>(wire::Message::MAX); ++verb) {
    flatbuffers::FlatBufferBuilder builder;
    wire::FrameBuilder frame(builder);
    frame.add_message_type(static_cast<wire::Message>(verb));
    wire::FinishFrameBuffer(builder, frame.Finish());
    CHECK(verified_frame(finished_bytes(builder)) == nullptr);
  }
}

TEST_CASE("keys and fingerprints survive the way into the ledger's types and back") {
  PersonKey key;
  Fingerprint fingerprint{};
  for (std::uint8_t i = 0; i < 16; ++i) key.bytes[i] = i;
  for (std::uint8_t i = 0; i < 32; ++i) fingerprint[i] = static_cast<std::uint8_t>(200 + i);
  CHECK(key_from<PersonKey>(to_ledger(key)) == key);
  CHECK(fingerprint_from(to_ledger(fingerprint)) == fingerprint);
}
