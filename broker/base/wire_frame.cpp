#include "broker/base/wire_frame.hpp"

#include "broker/base/limits.hpp"

namespace carehub {

namespace {

constexpr flatbuffers::uoffset_t kDepthMax = 32;
// A full Publish frame: each item a table of its own with a nested event of some hundred tables.
constexpr flatbuffers::uoffset_t kTablesMax = 1'000'000;

}  // namespace

const wire::Frame* verified_frame(BytesView bytes) {
  if (bytes.size() < 12 || bytes.size() > limits::kFrameBytesMax) return nullptr;
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kDepthMax, kTablesMax);
  if (!wire::VerifyFrameBuffer(verifier)) return nullptr;
  const auto* frame = wire::GetFrame(bytes.data());
  // A union may name a type and have no value: the verifier lets that pass. A verb that is not known is told
  // of later, by its number.
  const bool known =
      frame->message_type() != wire::Message::NONE && frame->message_type() <= wire::Message::MAX;
  return known && frame->message() == nullptr ? nullptr : frame;
}

Bytes finished_bytes(const flatbuffers::FlatBufferBuilder& builder) {
  const std::uint8_t* begin = builder.GetBufferPointer();
  return {begin, begin + builder.GetSize()};
}

}  // namespace carehub
