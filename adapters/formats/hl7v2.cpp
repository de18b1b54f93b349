#include "adapters/formats/hl7v2.hpp"

#include <algorithm>
#include <charconv>

#include "broker/base/limits.hpp"
#include "broker/base/utf8.hpp"

namespace carehub::adapters::hl7v2 {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kPathForm = "write a place as PID-3, PID-3[1].1.2, NK1[2]-2.1 or NK1[]-5[].1";

bool name_character(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool letter_or_digit(char c) { return name_character(c) || (c >= 'a' && c <= 'z'); }

/// Reads a number from 1 to 9999 off the front of `text`.
std::optional<std::uint16_t> take_number(std::string_view& text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number == 0 || number > 9999) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// Reads `[n]` or `[]`; false when what is there is neither. Leaves `index` alone when there are no brackets.
bool take_index(std::string_view& text, std::int32_t& index) {
  if (!text.starts_with('[')) return true;
  text.remove_prefix(1);
  if (text.starts_with(']')) {
    index = Path::kEvery;
  } else {
    const auto number = take_number(text);
    if (!number || !text.starts_with(']')) return false;
    index = *number - 1;
  }
  text.remove_prefix(1);
  return true;
}

/// The n-th part (from 0) of `text` between separators; empty when there is none.
std::string_view part(std::string_view text, char separator, std::size_t number) {
  if (separator == '\0') return number == 0 ? text : std::string_view{};
  for (; number > 0; --number) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + 1);
  }
  return text.substr(0, text.find(separator));
}

/// Whether `text` begins as a segment does: three name characters, then a field separator or the end of the
/// line.
bool looks_like_segment(std::string_view text, char separator) {
  if (text.size() < 3 || !name_character(text[0]) || !name_character(text[1]) || !name_character(text[2]))
    return false;
  return text.size() == 3 || text[3] == separator || text[3] == '\r' || text[3] == '\n';
}

/// A segment's name as the upper half of a number; the lower half takes its place in the message.
std::uint64_t name_key(std::string_view name) {
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 3; ++i)
    key = key * 256 + (i < name.size() ? static_cast<unsigned char>(name[i]) : 0U);
  return key << 32U;
}

Raw raw_of(std::string_view text) {
  if (text == "\"\"") return Raw{{}, true};
  return Raw{text, false};
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

/// Undoes one escape sequence (the text between two escape characters). False: not one that is known.
bool undo(std::string_view code, const Delimiters& delimiters, std::string& out, bool& raw_bytes) {
  if (code.size() == 1) {
    switch (code[0]) {
      case 'F': out.push_back(delimiters.field); return true;
      case 'S': out.push_back(delimiters.component); return true;
      case 'T': out.push_back(delimiters.subcomponent); return true;
      case 'R': out.push_back(delimiters.repetition); return true;
      case 'E': out.push_back(delimiters.escape); return true;
      case 'H':
      case 'N': return true;  // highlighting: text has none
      default: return false;
    }
  }
  if (code.starts_with(".br") || code.starts_with(".sp")) {
    out.push_back('\n');
    return true;
  }
  if (code.size() < 3 || code.size() % 2 == 0 || code[0] != 'X') return false;
  std::string bytes;
  for (std::size_t i = 1; i < code.size(); i += 2) {
    const auto high = hex_digit(code[i]);
    const auto low = hex_digit(code[i + 1]);
    if (!high || !low) return false;
    const auto byte = static_cast<char>(*high * 16 + *low);
    if (byte != '\0') bytes.push_back(byte);
  }
  raw_bytes = raw_bytes || !is_ascii(bytes);
  out += bytes;
  return true;
}

/// What MSH-1 and MSH-2 of a text that begins with MSH say; nullopt when they cannot be delimiters.
std::optional<Delimiters> read_delimiters(std::string_view text) {
  Delimiters delimiters;
  delimiters.field = text[3];
  const std::string_view line = text.substr(4, text.find_first_of("\r\n") - 4);
  const std::string_view encoding = line.substr(0, line.find(delimiters.field));
  const auto nth = [&](std::size_t i) { return i < encoding.size() ? encoding[i] : '\0'; };
  delimiters.component = nth(0);
  delimiters.repetition = nth(1);
  delimiters.escape = nth(2);
  delimiters.subcomponent = nth(3);
  std::string all(1, delimiters.field);
  all += encoding.substr(0, 4);
  std::sort(all.begin(), all.end());
  const auto bad = [](char c) {
    return letter_or_digit(c) || static_cast<unsigned char>(c) <= ' ' || c == '"';
  };
  const bool same = std::adjacent_find(all.begin(), all.end()) != all.end();
  if (encoding.empty() || same || std::any_of(all.begin(), all.end(), bad)) return std::nullopt;
  return delimiters;
}

}  // namespace

Result<Path> Path::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorKind::invalid,
                "`" + std::string(text) + "` is not a place in an HL7 message; " + std::string(kPathForm));
  };
  std::string_view rest = text;
  if (rest.size() < 3 || !std::all_of(rest.begin(), rest.begin() + 3, name_character)) return wrong();
  Path path;
  std::copy_n(rest.begin(), 3, path.segment.begin());
  rest.remove_prefix(3);
  if (!take_index(rest, path.occurrence)) return wrong();
  if (rest.empty()) return path;
  if (!rest.starts_with('-')) return wrong();
  rest.remove_prefix(1);
  const auto field = take_number(rest);
  if (!field) return wrong();
  path.field = *field;
  if (!take_index(rest, path.repetition)) return wrong();
  for (std::uint16_t* target : {&path.component, &path.subcomponent}) {
    if (!rest.starts_with('.')) break;
    rest.remove_prefix(1);
    const auto number = take_number(rest);
    if (!number) return wrong();
    *target = *number;
  }
  if (!rest.empty()) return wrong();
  return path;
}

Path Path::at(std::span<const std::uint32_t> indices) const {
  Path bound = *this;
  std::size_t next = 0;
  const auto take = [&](std::int32_t& slot) {
    if (slot != kEvery) return;
    slot = next < indices.size() ? static_cast<std::int32_t>(indices[next]) : 0;
    ++next;
  };
  take(bound.occurrence);
  take(bound.repetition);
  return bound;
}

std::string Path::text() const {
  const auto index = [](std::int32_t number) -> std::string {
    if (number == kEvery) return "[]";
    return number == 0 ? std::string{} : "[" + std::to_string(number + 1) + "]";
  };
  std::string out(segment.begin(), segment.end());
  out += index(occurrence);
  if (field == 0) return out;
  out += "-" + std::to_string(field) + index(repetition);
  if (component != 0) out += "." + std::to_string(component);
  if (subcomponent != 0) out += "." + std::to_string(subcomponent);
  return out;
}

Result<Message> Message::parse(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  while (!text.empty() && (text.front() == '\r' || text.front() == '\n' || text.front() == ' '))
    text.remove_prefix(1);
  if (text.size() < 8 || !text.starts_with("MSH")) {
    return fail(ErrorKind::invalid, "there is no MSH segment at the start; send one HL7 version 2 message");
  }
  const auto delimiters = read_delimiters(text);
  if (!delimiters) {
    return fail(ErrorKind::invalid,
                "MSH-1 and MSH-2 do not name different delimiters, none of them a letter, digit, space or "
                "double quote; send |^~\\&");
  }
  Message message;
  message.text_ = text;
  message.delimiters_ = *delimiters;
  if (!message.index_segments()) {
    return fail(ErrorKind::invalid, "the message has too many segments; split it");
  }
  return message;
}

bool Message::index_segments() {
  const auto first_end = text_.find_first_of("\r\n");
  const bool ends_in_cr = first_end != std::string_view::npos && text_[first_end] == '\r';
  segments_.reserve(32);
  starts_.reserve(512);
  by_name_.reserve(32);
  std::size_t at = 0;
  while (at < text_.size()) {
    if (text_[at] == '\r' || text_[at] == '\n') {
      ++at;
      continue;
    }
    if (segments_.size() == limits::kHl7SegmentsMax) return false;
    Segment segment;
    segment.first_field = static_cast<std::uint32_t>(starts_.size());
    starts_.push_back(static_cast<std::uint32_t>(at));
    std::size_t end = at;
    for (; end < text_.size(); ++end) {
      const char c = text_[end];
      const bool line_ends =
          c == '\r' ||
          (c == '\n' && (!ends_in_cr || looks_like_segment(text_.substr(end + 1), delimiters_.field)));
      if (line_ends) break;
      if (c == delimiters_.field) starts_.push_back(static_cast<std::uint32_t>(end + 1));
    }
    segment.end = static_cast<std::uint32_t>(end);
    segment.fields = static_cast<std::uint32_t>(starts_.size()) - segment.first_field;
    const std::size_t name_end = segment.fields > 1 ? starts_[segment.first_field + 1] - 1 : end;
    segment.name = text_.substr(at, std::min<std::size_t>(3, name_end - at));
    by_name_.push_back(name_key(segment.name) | segments_.size());
    segments_.push_back(segment);
    at = end;
  }
  std::sort(by_name_.begin(), by_name_.end());
  return true;
}

const Message::Segment* Message::find(const std::array<char, 3>& name, std::int32_t occurrence) const {
  const std::uint64_t key = name_key({name.data(), name.size()});
  const auto first = std::lower_bound(by_name_.begin(), by_name_.end(), key);
  if (occurrence < 0 || by_name_.end() - first <= occurrence) return nullptr;
  const std::uint64_t found = first[occurrence];
  if (found >> 32U != key >> 32U) return nullptr;
  return &segments_[static_cast<std::uint32_t>(found)];
}

std::size_t Message::occurrences(const std::array<char, 3>& segment) const {
  const std::uint64_t key = name_key({segment.data(), segment.size()});
  const auto first = std::lower_bound(by_name_.begin(), by_name_.end(), key);
  const auto last = std::lower_bound(first, by_name_.end(), key + (std::uint64_t{1} << 32U));
  return static_cast<std::size_t>(last - first);
}

std::string_view Message::field(const Segment& segment, std::size_t number) const {
  if (segment.name == "MSH") {
    // MSH-1 is the separator itself, so its other fields stand one place earlier.
    if (number == 1) return text_.substr(starts_[segment.first_field] + 3, 1);
    --number;
  }
  if (number >= segment.fields) return {};
  const std::uint32_t start = starts_[segment.first_field + number];
  const std::uint32_t end =
      number + 1 < segment.fields ? starts_[segment.first_field + number + 1] - 1 : segment.end;
  return text_.substr(start, end - start);
}

std::size_t Message::repetitions(const Path& path) const {
  const Segment* segment = find(path.segment, path.occurrence);
  if (segment == nullptr) return 0;
  const std::string_view all = field(*segment, path.field);
  if (all.empty()) return 0;
  if (delimiters_.repetition == '\0' || (segment->name == "MSH" && path.field <= 2)) return 1;
  const auto separators =
      static_cast<std::size_t>(std::count(all.begin(), all.end(), delimiters_.repetition));
  return std::min(separators + 1, limits::kHl7RepetitionsMax);
}

Raw Message::whole(const Path& path) const {
  const Segment* segment = find(path.segment, path.occurrence);
  if (segment == nullptr) return {};
  if (path.field == 0) {
    const std::uint32_t start = starts_[segment->first_field];
    return Raw{text_.substr(start, segment->end - start), false};
  }
  std::string_view value = field(*segment, path.field);
  if (segment->name == "MSH" && path.field <= 2) return Raw{value, false};
  if (path.repetition > 0 || path.component > 0) {
    value = part(value, delimiters_.repetition, static_cast<std::size_t>(std::max(path.repetition, 0)));
  }
  if (path.component > 0) value = part(value, delimiters_.component, path.component - 1U);
  if (path.subcomponent > 0) value = part(value, delimiters_.subcomponent, path.subcomponent - 1U);
  return raw_of(value);
}

Raw Message::value(const Path& path) const {
  if (path.field == 0) return whole(path);
  const Segment* segment = find(path.segment, path.occurrence);
  if (segment == nullptr) return {};
  std::string_view value = field(*segment, path.field);
  if (value.empty()) return {};
  if (segment->name == "MSH" && path.field <= 2) return Raw{value, false};
  value = part(value, delimiters_.repetition, static_cast<std::size_t>(std::max(path.repetition, 0)));
  if (value == "\"\"" && path.component > 0)
    return raw_of(value);  // the whole field is deleted, its parts too
  value = part(value, delimiters_.component, path.component > 0 ? path.component - 1U : 0U);
  value = part(value, delimiters_.subcomponent, path.subcomponent > 0 ? path.subcomponent - 1U : 0U);
  return raw_of(value);
}

std::optional<std::string_view> Message::text_at(const Path& path, std::string& scratch) const {
  const Raw raw = value(path);
  if (raw.null || raw.empty()) return std::nullopt;
  if (delimiters_.escape == '\0' || raw.text.find(delimiters_.escape) == std::string_view::npos)
    return raw.text;
  scratch = unescape(raw.text, delimiters_);
  return scratch;
}

std::string unescape(std::string_view text, const Delimiters& delimiters) {
  std::string out;
  out.reserve(text.size());
  bool raw_bytes = false;
  while (!text.empty()) {
    const auto open = delimiters.escape == '\0' ? std::string_view::npos : text.find(delimiters.escape);
    const auto close = open == std::string_view::npos ? open : text.find(delimiters.escape, open + 1);
    if (close == std::string_view::npos) break;
    out.append(text.substr(0, open));
    if (undo(text.substr(open + 1, close - open - 1), delimiters, out, raw_bytes)) {
      text.remove_prefix(close + 1);
    } else {
      // Its closing character may open the next sequence.
      out.append(text.substr(open, close - open));
      text.remove_prefix(close);
    }
  }
  out.append(text);
  if (raw_bytes && !is_utf8(out)) return to_utf8(out, Charset::windows1252);
  return out;
}

std::string escape(std::string_view text, const Delimiters& delimiters) {
  std::string out;
  out.reserve(text.size());
  const auto sequence = [&](std::string_view code) {
    out.push_back(delimiters.escape);
    out.append(code);
    out.push_back(delimiters.escape);
  };
  for (const char c : text) {
    if (c == delimiters.field) {
      sequence("F");
    } else if (c == delimiters.component) {
      sequence("S");
    } else if (c == delimiters.subcomponent) {
      sequence("T");
    } else if (c == delimiters.repetition) {
      sequence("R");
    } else if (c == delimiters.escape) {
      sequence("E");
    } else if (c == '\n') {
      sequence(".br");
    } else if (static_cast<unsigned char>(c) < ' ') {
      out.push_back(' ');
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string_view utf8_text(std::string_view bytes, Charset fallback, std::string& converted) {
  if (is_ascii(bytes)) return bytes;
  std::optional<Charset> declared;
  if (const auto message = Message::parse(bytes)) {
    const Path path{.segment = {'M', 'S', 'H'}, .field = 18};
    const Raw name = message->value(path);
    if (!name.empty()) {
      if (const auto known = charset_from(name.text)) declared = *known;
    }
  }
  const bool utf8 = is_utf8(bytes);
  if (utf8 && declared.value_or(Charset::utf8) != Charset::latin1 &&
      declared.value_or(Charset::utf8) != Charset::windows1252) {
    return bytes;
  }
  const bool single_byte = declared == Charset::latin1 || declared == Charset::windows1252;
  // What says 8859/1 is nearly always Windows-1252 when it uses 0x80 to 0x9F; the two agree elsewhere.
  Charset from = single_byte ? Charset::windows1252 : fallback;
  if (from == Charset::utf8 || from == Charset::ascii) from = Charset::windows1252;
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  converted = to_utf8(bytes, from);
  return converted;
}

std::vector<std::string_view> split_batch(std::string_view text) {
  std::vector<std::size_t> starts;
  const bool batch = text.starts_with("FHS") || text.starts_with("BHS");
  std::size_t at = 0;
  bool line_start = true;
  for (; at < text.size(); ++at) {
    if (line_start && text.substr(at, 3) == "MSH") starts.push_back(at);
    line_start = text[at] == '\r' || text[at] == '\n';
  }
  if (starts.size() < 2 && !batch) return {text};
  if (starts.empty()) return {text};
  std::vector<std::string_view> messages;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : text.size();
    std::string_view message = text.substr(starts[i], end - starts[i]);
    for (const std::string_view trailer : {"BTS", "FTS", "BHS", "FHS"}) {
      for (const char separator : {'\r', '\n'}) {
        const auto cut = message.find(std::string(1, separator) + std::string(trailer));
        if (cut != std::string_view::npos) message = message.substr(0, cut + 1);
      }
    }
    messages.push_back(message);
  }
  return messages;
}

}  // namespace carehub::adapters::hl7v2
