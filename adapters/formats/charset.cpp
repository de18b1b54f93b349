#include "adapters/formats/charset.hpp"

#include <iconv.h>

#include <cerrno>
#include <memory>

namespace carehub::adapters {
namespace {

struct CloseIconv {
  using pointer = iconv_t;
  void operator()(iconv_t descriptor) const { iconv_close(descriptor); }
};
using IconvHandle = std::unique_ptr<void, CloseIconv>;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Converts; what iconv cannot take is skipped byte by byte (or character by character) and replaced.
std::string convert(std::string_view text, const char* to, const char* from, std::string_view replacement) {
  const iconv_t opened = iconv_open(to, from);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): iconv's own way to say that it failed
  if (opened == reinterpret_cast<iconv_t>(-1)) return std::string(text);
  const IconvHandle handle(opened);
  std::string out;
  out.reserve(text.size() + text.size() / 8 + 16);
  std::string input(text);
  char* in = input.data();
  std::size_t left = input.size();
  char buffer[1024];
  while (left > 0) {
    char* next = buffer;
    std::size_t room = sizeof buffer;
    const std::size_t result = iconv(opened, &in, &left, &next, &room);
    out.append(buffer, sizeof buffer - room);
    if (result != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    out.append(replacement);
    do {
      ++in;
      --left;
    } while (left > 0 && std::string_view(from) == "UTF-8" &&
             (static_cast<unsigned char>(*in) & 0xC0U) == 0x80U);
  }
  return out;
}

}  // namespace

Result<Charset> charset_from(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c >= 'a' && c <= 'z') plain.push_back(static_cast<char>(c - 'a' + 'A'));
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) plain.push_back(c);
  }
  if (plain == "ASCII" || plain == "USASCII" || plain == "ISOIR6") return Charset::ascii;
  if (plain == "UNICODEUTF8" || plain == "UTF8" || plain == "UNICODE") return Charset::utf8;
  if (plain == "88591" || plain == "ISO88591" || plain == "LATIN1" || plain == "ISOIR100")
    return Charset::latin1;
  if (plain == "WINDOWS1252" || plain == "CP1252" || plain == "WIN1252") return Charset::windows1252;
  return fail(
      ErrorKind::invalid,
      "the character set is not one of ASCII, 8859/1, UNICODE UTF-8 and WINDOWS-1252; use one of those");
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80U) return false;
  }
  return true;
}

std::string to_utf8(std::string_view text, Charset from) {
  switch (from) {
    case Charset::latin1: return convert(text, "UTF-8", "ISO-8859-1", kReplacement);
    case Charset::windows1252: return convert(text, "UTF-8", "WINDOWS-1252", kReplacement);
    case Charset::ascii: return convert(text, "UTF-8", "ASCII", kReplacement);
    case Charset::utf8: break;
  }
  return convert(text, "UTF-8", "UTF-8", kReplacement);
}

std::string to_windows1252(std::string_view utf8) { return convert(utf8, "WINDOWS-1252", "UTF-8", "?"); }

}  // namespace carehub::adapters
