#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/formats/charset.hpp"
#include "broker/base/result.hpp"

/// HL7 version 2, as a view of segments and fields over the text of one message (HL7 v2.5.1 chapter 2).
/// Nothing is copied; a Message is good for as long as its text is.
namespace carehub::adapters::hl7v2 {

/// What MSH-1 and MSH-2 say. '\0': the sender named none.
struct Delimiters {
  char field = '|';
  char component = '^';
  char repetition = '~';
  char escape = '\\';
  char subcomponent = '&';
};

/// A place in a message: PID-3[1].1.2, PV1-3.2, NK1[2]-2.1, NTE[]-3, MSH-9.1. Numbers start at 1; `[]` stands
/// for every occurrence of a segment or repetition of a field, and is bound from the left by indices that
/// start at 0. A path that stops at a field or component means its first component or subcomponent (HL7
/// v2.5.1 section 2.8.2: a receiver reads an extended data type as its first part).
struct Path {
  static constexpr std::int32_t kEvery = -1;
  std::array<char, 3> segment{};
  std::int32_t occurrence = 0;  // from 0
  std::uint16_t field = 0;      // 0: the segment as a whole
  std::int32_t repetition = 0;  // from 0
  std::uint16_t component = 0;  // 0: not said
  std::uint16_t subcomponent = 0;

  /// Error `invalid` says what the form is.
  static Result<Path> parse(std::string_view text);
  std::size_t open_lists() const {
    return (occurrence == kEvery ? 1U : 0U) + (repetition == kEvery ? 1U : 0U);
  }
  /// The path with its `[]` filled.
  Path at(std::span<const std::uint32_t> indices) const;
  /// As it is written; a first occurrence or repetition is left out.
  std::string text() const;
};

/// A value as it stands in the message: raw text before its escapes are undone.
struct Raw {
  std::string_view text;
  bool null = false;  // `""`: delete what was there
  bool empty() const { return text.empty(); }
};

class Message {
 public:
  struct Segment {
    std::string_view name;  // up to 3 characters; shorter where the segment is
    std::uint32_t first_field = 0;
    std::uint32_t fields = 0;  // starts kept, the segment's name being field 0
    std::uint32_t end = 0;     // offset behind the last byte
  };

  /// Segments end in CR; LF and CRLF are tolerated; a byte order mark and blank lines before MSH are skipped.
  /// Error `invalid`: no MSH, delimiters that cannot be, or more segments than limits::kHl7SegmentsMax.
  static Result<Message> parse(std::string_view text);

  const Delimiters& delimiters() const { return delimiters_; }
  const std::vector<Segment>& segments() const { return segments_; }
  std::string_view text() const { return text_; }

  std::size_t occurrences(const std::array<char, 3>& segment) const;
  /// Repetitions of the field at `path` (occurrence bound); 0 when it is empty or absent.
  std::size_t repetitions(const Path& path) const;
  /// The whole field with its repetitions, or the whole repetition, component or subcomponent that `path`
  /// names, and nothing narrower. Every `[]` must be bound.
  Raw whole(const Path& path) const;
  /// The value at `path`, which must be bound.
  Raw value(const Path& path) const;
  /// The same without escapes. `scratch` holds the text where it had any. nullopt: absent or empty or null.
  std::optional<std::string_view> text_at(const Path& path, std::string& scratch) const;

 private:
  /// False: too many segments.
  bool index_segments();
  const Segment* find(const std::array<char, 3>& name, std::int32_t occurrence) const;
  std::string_view field(const Segment& segment, std::size_t number) const;

  std::string_view text_;
  Delimiters delimiters_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> starts_;   // of every field of every segment, in order
  std::vector<std::uint64_t> by_name_;  // name, then number of every segment; sorted
};

/// Undoes \F\ \S\ \T\ \R\ \E\ \Xhh..\ \.br\ (HL7 v2.5.1 section 2.7); unknown ones stay as they are. Bytes
/// written as hexadecimal that are not UTF-8 are taken for Windows-1252.
std::string unescape(std::string_view text, const Delimiters& delimiters);
/// Makes text safe inside a field.
std::string escape(std::string_view text, const Delimiters& delimiters);

/// The text of a message in UTF-8. `converted` holds it where the bytes could not be used as they are. The
/// character set is MSH-18's; where that is empty, unknown or wrong, valid UTF-8 is taken as such and all
/// else as `fallback`.
std::string_view utf8_text(std::string_view bytes, Charset fallback, std::string& converted);

/// Offsets where the messages of a batch (FHS, BHS) begin, or of several messages in one frame; one for a
/// plain one.
std::vector<std::string_view> split_batch(std::string_view text);

}  // namespace carehub::adapters::hl7v2
