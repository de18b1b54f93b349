#pragma once

#include <utility>

#include "broker/base/bytes.hpp"
#include "schemas/wire_generated.h"

/// One Frame of wire.fbs as bytes, for both ends of the wire.
namespace carehub {

constexpr std::uint8_t kWireMajor = 1;
constexpr std::uint8_t kWireMinor = 0;

/// Runs the verifier, with bounds on depth and tables; nullptr when the bytes are not a Frame. Says nothing
/// of version and verb. `bytes` must be 8-byte aligned, as the start of a vector is, and outlive the Frame.
const wire::Frame* verified_frame(BytesView bytes);

/// The finished bytes of a builder.
Bytes finished_bytes(const flatbuffers::FlatBufferBuilder& builder);

/// A message (HelloT, DeliverT ...) as a frame.
template <class Message>
Bytes frame_bytes(Message message) {
  wire::FrameT frame;
  frame.major = kWireMajor;
  frame.minor = kWireMinor;
  frame.message.Set(std::move(message));
  flatbuffers::FlatBufferBuilder builder(1024);
  wire::FinishFrameBuffer(builder, wire::Frame::Pack(builder, &frame));
  return finished_bytes(builder);
}

}  // namespace carehub
