// What comes over an MLLP connection: bytes in pieces of any size. The pieces must not change the messages.
#include <cstdlib>
#include <vector>

#include "adapters/transports/mllp_frames.hpp"

using namespace carehub;

namespace {

constexpr std::size_t kFrameBytesMax = 512;

struct Taken {
  std::vector<Bytes> messages;
  std::uint64_t stray = 0;
  std::uint64_t abandoned = 0;
  bool oversize = false;
  bool inside = false;

  bool operator==(const Taken&) const = default;
};

Taken take_apart(BytesView stream, std::size_t piece) {
  adapters::MllpFrames frames(kFrameBytesMax);
  Taken taken;
  while (!stream.empty() && !frames.oversize()) {
    auto input = stream.first(std::min(piece, stream.size()));
    const auto before = input.size();
    while (!input.empty() && !frames.oversize()) {
      if (auto message = frames.next(input)) taken.messages.push_back(std::move(*message));
      if (frames.held_bytes() > kFrameBytesMax) std::abort();
    }
    stream = stream.subspan(before - input.size());
  }
  taken.stray = frames.stray_bytes();
  taken.abandoned = frames.abandoned();
  taken.oversize = frames.oversize();
  taken.inside = frames.inside();
  return taken;
}

}  // namespace

/// The first byte says how large the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView stream(data + 1, size - 1);
  const auto whole = take_apart(stream, stream.size());
  if (take_apart(stream, 1U + data[0] % 7U) != whole) std::abort();
  for (const auto& message : whole.messages) {
    // A message holds no bytes that would end or begin a frame, so it comes out of a frame as it went in.
    const auto again = take_apart(adapters::mllp_frame(message), kFrameBytesMax);
    if (again.messages.size() != 1 || again.messages.front() != message) std::abort();
  }
  return 0;
}
