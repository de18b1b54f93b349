#include "adapters/transports/mllp_frames.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

namespace carehub::adapters {
namespace {

const std::string kStart = "\x0B";
const std::string kEnd = "\x1C\r";

std::vector<std::string> messages_of(MllpFrames& frames, const std::vector<std::string>& reads) {
  std::vector<std::string> messages;
  for (const std::string& read : reads) {
    BytesView input = bytes_of(read);
    while (auto message = frames.next(input)) messages.emplace_back(text_of(*message));
  }
  return messages;
}

std::vector<std::string> messages_of(const std::vector<std::string>& reads) {
  MllpFrames frames;
  return messages_of(frames, reads);
}

using Texts = std::vector<std::string>;

TEST_CASE("a frame is read whole") { CHECK(messages_of({kStart + "MSH|a" + kEnd}) == Texts{"MSH|a"}); }

TEST_CASE("several messages of one read come out in their order") {
  CHECK(messages_of({kStart + "one" + kEnd + kStart + "two" + kEnd + kStart + "three" + kEnd}) ==
        Texts{"one", "two", "three"});
}

TEST_CASE("a stream that is split at any byte gives the same messages") {
  const std::string stream = "xx" + kStart + "MSH|one\rPID|1" + kEnd + "\n" + kStart + "MSH|two\x1C!" + kEnd;
  const Texts expected{"MSH|one\rPID|1", "MSH|two\x1C!"};
  for (std::size_t at = 0; at <= stream.size(); ++at) {
    CHECK(messages_of({stream.substr(0, at), stream.substr(at)}) == expected);
  }
  Texts bytes;
  for (const char byte : stream) bytes.emplace_back(1, byte);
  CHECK(messages_of(bytes) == expected);
}

TEST_CASE("bytes between frames are skipped and counted") {
  MllpFrames frames;
  CHECK(messages_of(frames, {"abc" + kStart + "m" + kEnd + "\r\n" + kStart + "n" + kEnd}) == Texts{"m", "n"});
  CHECK(frames.stray_bytes() == 5);
}

TEST_CASE("a missing last carriage return is made good by the next start") {
  CHECK(messages_of({kStart + "one\x1C" + kStart + "two" + kEnd}) == Texts{"one", "two"});
}

TEST_CASE("a sender that begins again in the middle never glues two messages together") {
  MllpFrames frames;
  CHECK(messages_of(frames, {kStart + "MSH|one\rPID|" + kStart + "MSH|two" + kEnd}) == Texts{"MSH|two"});
  CHECK(frames.abandoned() == 1);
}

TEST_CASE("a stray start byte inside a message is left for the format to judge") {
  CHECK(messages_of({kStart +
                     "MSH|a\x0B"
                     "b" +
                     kEnd}) == Texts{"MSH|a\x0B"
                                     "b"});
}

TEST_CASE("a frame over the limit is noticed before it is kept") {
  MllpFrames frames(10);
  CHECK(messages_of(frames, {kStart + "0123456789" + kEnd}) == Texts{"0123456789"});
  CHECK_FALSE(frames.oversize());
  CHECK(messages_of(frames, {kStart + "01234", "567890", kEnd}).empty());
  CHECK(frames.oversize());
}

TEST_CASE("what was no end after all counts as the frame's own byte") {
  const std::string full = kStart + std::string(9, 'M') + "\x1c";
  MllpFrames frames(10);
  std::string text = full + "xy";
  BytesView input = bytes_of(text);
  CHECK_FALSE(frames.next(input));
  CHECK(frames.oversize());
  CHECK(frames.held_bytes() == 10);
  MllpFrames small(9);
  input = bytes_of(text);
  CHECK_FALSE(small.next(input));
  CHECK(small.oversize());
  CHECK(small.held_bytes() == 9);
}

TEST_CASE("any bytes at all leave the framing in step") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    MllpFrames frames;
    std::string noise(random() % 200, ' ');
    for (char& byte : noise)
      byte = static_cast<char>(random() % 3 == 0 ? "\x0B\x1C\r"[random() % 3] : random() % 256);
    messages_of(frames, {noise});
    const Texts after = messages_of(frames, {kEnd + kStart + "MSH|whole" + kEnd});
    REQUIRE(!after.empty());
    CHECK(after.back() == "MSH|whole");
  }
}

TEST_CASE("what is framed is read back") {
  const std::string message = "MSH|^~\\&|";
  const Bytes framed = mllp_frame(bytes_of(message));
  CHECK(messages_of({std::string(text_of(framed))}) == Texts{message});
}

}  // namespace
}  // namespace carehub::adapters
