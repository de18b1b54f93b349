#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "broker/base/bytes.hpp"
#include "broker/base/limits.hpp"

namespace carehub::adapters {

/// Takes a stream of bytes apart into MLLP frames: 0x0B, message, 0x1C 0x0D (HL7 MLLP release 1). Not
/// thread-safe.
class MllpFrames {
 public:
  explicit MllpFrames(std::size_t frame_bytes_max = limits::kMllpFrameBytesMax);

  /// Takes bytes off the front of `input` until a message is complete or nothing is left. Bytes between
  /// frames are skipped and counted. nullopt: more is needed, or the frame is oversize.
  std::optional<Bytes> next(BytesView& input);

  /// Whether a frame has begun and not ended.
  bool inside() const { return state_ != State::between; }
  /// The frame under way has passed the limit; there is no way back into step but a new connection.
  bool oversize() const { return oversize_; }
  /// Of the frame under way.
  std::size_t held_bytes() const { return frame_.size(); }
  std::uint64_t stray_bytes() const { return stray_bytes_; }
  /// Half frames that were given up because the sender began again in the middle.
  std::uint64_t abandoned() const { return abandoned_; }

 private:
  enum class State : std::uint8_t { between, inside, after_end_block };
  Bytes complete();

  std::size_t frame_bytes_max_;
  State state_ = State::between;
  bool oversize_ = false;
  Bytes frame_;
  std::uint64_t stray_bytes_ = 0;
  std::uint64_t abandoned_ = 0;
};

/// The message in a frame, ready to be sent.
Bytes mllp_frame(BytesView message);

}  // namespace carehub::adapters
