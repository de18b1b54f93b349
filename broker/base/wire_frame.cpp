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
  return wire::GetFrame(bytes.data());
}

Bytes finished_bytes(const flatbuffers::FlatBufferBuilder& builder) {
  const std::uint8_t* begin = builder.GetBufferPointer();
  return {begin, begin + builder.GetSize()};
}

}  // namespace carehub
