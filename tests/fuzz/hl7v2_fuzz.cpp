// What a hospital's system sends: any bytes at all, in any character set.
#include <cstdlib>

#include "adapters/formats/hl7v2.hpp"

using namespace carehub;
namespace hl7v2 = adapters::hl7v2;

namespace {

void read_all(const hl7v2::Message& message) {
  std::string scratch;
  for (const auto& segment : message.segments()) {
    if (segment.name.size() != 3) continue;
    hl7v2::Path path;
    for (std::size_t at = 0; at < 3; ++at) path.segment[at] = segment.name[at];
    for (std::uint16_t field = 1; field < segment.fields && field < 64; ++field) {
      path.field = field;
      (void)message.repetitions(path);
      (void)message.whole(path);
      (void)message.text_at(path, scratch);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string converted;
  for (const auto one : hl7v2::split_batch(bytes)) {
    const auto text = hl7v2::utf8_text(one, adapters::Charset::windows1252, converted);
    const auto message = hl7v2::Message::parse(text);
    if (!message) continue;
    read_all(*message);
    // What is made safe for a field begins no other field.
    const auto safe = hl7v2::escape(text, {});
    if (safe.find_first_of("|\r\n") != std::string::npos) std::abort();
    (void)hl7v2::unescape(text, message->delimiters());
  }
  if (const auto path = hl7v2::Path::parse(bytes.substr(0, 64))) (void)path->text();
  return 0;
}
