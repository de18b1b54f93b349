#include "adapters/transports/mllp_frames.hpp"

#include <algorithm>
#include <cstring>

namespace carehub::adapters {
namespace {

constexpr std::uint8_t kStartBlock = 0x0B;
constexpr std::uint8_t kEndBlock = 0x1C;
constexpr std::uint8_t kCarriageReturn = 0x0D;
// 0x0B cannot occur in a message, but a mangled one may hold it; only with a header behind it is it a new
// start.
constexpr std::array<std::uint8_t, 4> kNewStart = {kStartBlock, 'M', 'S', 'H'};

}  // namespace

MllpFrames::MllpFrames(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

std::optional<Bytes> MllpFrames::next(BytesView& input) {
  while (!input.empty() && !oversize_) {
    if (state_ == State::between) {
      const auto start = std::find(input.begin(), input.end(), kStartBlock);
      stray_bytes_ += static_cast<std::uint64_t>(start - input.begin());
      input = BytesView(start, input.end());
      if (input.empty()) return std::nullopt;
      input = input.subspan(1);
      state_ = State::inside;
    } else if (state_ == State::inside) {
      const auto* end = static_cast<const std::uint8_t*>(std::memchr(input.data(), kEndBlock, input.size()));
      const std::size_t taken = end == nullptr ? input.size() : static_cast<std::size_t>(end - input.data());
      oversize_ = frame_.size() + taken > frame_bytes_max_;
      if (oversize_) break;
      frame_.insert(frame_.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(taken));
      input = input.subspan(taken);
      if (input.empty()) return std::nullopt;
      input = input.subspan(1);
      state_ = State::after_end_block;
    } else if (input.front() == kCarriageReturn) {
      input = input.subspan(1);
      return complete();
    } else if (input.front() == kStartBlock) {
      return complete();  // a sender that leaves the last carriage return out
    } else {
      oversize_ = frame_.size() == frame_bytes_max_;
      if (oversize_) break;
      frame_.push_back(kEndBlock);  // not an end after all
      state_ = State::inside;
    }
  }
  return std::nullopt;
}

Bytes MllpFrames::complete() {
  state_ = State::between;
  Bytes message = std::move(frame_);
  frame_ = {};
  // Two half messages glued together would give one child's facts to another: only the last start counts.
  if (!message.empty() && std::memchr(message.data(), kStartBlock, message.size()) != nullptr) {
    const auto again = std::find_end(message.begin(), message.end(), kNewStart.begin(), kNewStart.end());
    if (again != message.end()) {
      ++abandoned_;
      message.erase(message.begin(), again + 1);
    }
  }
  return message;
}

Bytes mllp_frame(BytesView message) {
  Bytes framed;
  framed.reserve(message.size() + 3);
  framed.push_back(kStartBlock);
  framed.insert(framed.end(), message.begin(), message.end());
  framed.push_back(kEndBlock);
  framed.push_back(kCarriageReturn);
  return framed;
}

}  // namespace carehub::adapters
