// What a peer sends and what an agency publishes: frames of the wire and events, as bytes that nobody vouches
// for.
#include <cstdlib>

#include "broker/base/event_fields.hpp"
#include "broker/base/wire_frame.hpp"

using namespace carehub;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, data + size);  // aligned, as the hub holds them
  if (const auto* frame = verified_frame(bytes)) {
    // What verified is read to its last field.
    const std::unique_ptr<wire::FrameT> whole(frame->UnPack());
    flatbuffers::FlatBufferBuilder builder;
    wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, whole.get()));
    if (verified_frame(finished_bytes(builder)) == nullptr) std::abort();
  }
  if (const auto* event = verified_event(bytes)) (void)event_to_json(*event);
  return 0;
}
