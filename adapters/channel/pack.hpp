#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/channel/mapping_source.hpp"
#include "adapters/formats/charset.hpp"
#include "adapters/formats/times.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/base/event_fields.hpp"
#include "schemas/wire_generated.h"

/// A mapping pack: data that says how one partner's messages become events, or how views become theirs. The
/// form is in README.md beside this file.
namespace carehub::adapters {

enum class ConditionKind : std::uint8_t { in, not_in, present, absent, is };

enum class UnknownCode : std::uint8_t { fault, omit, keep };
enum class ValueForm : std::uint8_t {
  by_kind,  // as the target says: text, date, time, number or name
  nhs_number,
  upn,
  ods,
  urn,
  laestab,
  gss,
  upper,
  date,
  time
};

/// Holds when any binding of the path's own `[]` fits (`absent`, `not_in`: when none is against it).
struct Condition {
  SourcePath path;
  ConditionKind kind = ConditionKind::present;
  std::vector<std::string> values;
  ValueForm form = ValueForm::by_kind;  // `is`: the value can be read so
};

/// A code table by name.
struct CodeTable {
  std::string name;
  std::map<std::string, std::string, std::less<>> values;
};

/// Where a value comes from and what becomes of it.
struct ValueRule {
  std::vector<SourcePath> from;     // alternatives: the first that is present wins
  std::vector<SourcePath> compose;  // or all of these, with `between` between those that are present
  std::string between = " ";
  std::optional<std::string> constant;
  std::optional<SourcePath> each;  // what the `[]` of `to` counts, for a constant or a composed value
  std::vector<SourcePath>
      after;  // lists that stand in the target before this one; their last `[]` says at which
  std::shared_ptr<const CodeTable> table;
  UnknownCode unknown = UnknownCode::fault;
  std::optional<std::string> otherwise;  // for a code that the table lacks
  std::optional<std::string> fallback;   // when nothing is present
  std::optional<std::string> join;       // all of a list, with this between
  ValueForm form = ValueForm::by_kind;
  std::vector<std::string> formats;  // of dates and times, tried in turn; empty: the format's own
  bool required = false;
  bool omit_invalid = false;  // leave out (and warn of) what cannot be read
  bool first_fit = false;  // the first element that fits `when` and no other, whether it has a value or not
  std::vector<Condition> when;
  std::string place;  // file and line
};

/// One value of an event.
struct FieldRule : ValueRule {
  FieldPath to;
  std::uint32_t target = 0;  // equal for equal `to` and `after` within a message: the first that yields wins
};

/// One kind of message that the pack knows.
struct MessageRule {
  std::string name;
  bool ignore = false;  // acknowledged and counted; it becomes nothing
  event::EventType event = event::EventType::unknown;
  std::vector<Condition> when;
  std::vector<FieldRule> fields;
  std::uint32_t targets = 0;
};

/// One value of a partner's row or object.
struct OutputRule : ValueRule {
  std::string name;  // the column, or the JSON path as written
  json::Path to;
  bool number = false;  // written as a JSON number
};

enum class Direction : std::uint8_t { in, out };

struct Pack {
  std::string name;
  std::string version;
  Format format = Format::json;
  Direction direction = Direction::in;
  std::optional<Zone> zone;                      // always set in a loaded pack
  Charset character_set = Charset::windows1252;  // what text is that is not UTF-8 and does not say
  char delimiter = ',';
  bool header = true;                       // CSV out: a first line with the columns' names
  bool native = false;                      // JSON in: the names of event.fbs themselves
  bool notice = false;                      // out: what it makes is a notice to people
  bool windows1252 = false;                 // CSV out
  std::vector<std::string> processing_ids;  // of MSH-11 that are taken (HL7 table 0103); empty: all
  std::vector<SourcePath> identity;
  std::vector<SourcePath> identity_ignores;
  wire::OnReuse on_reuse = wire::OnReuse::conflict;
  std::vector<MessageRule> messages;
  std::vector<OutputRule> outputs;
};

/// Reads a pack and, over it, the channel's own file. Every fault of both is added to `faults` with its place
/// and remedy; nullptr when there was one. Files are read once; the pack is then shared by threads.
std::shared_ptr<const Pack> load_pack(const std::filesystem::path& file,
                                      const std::optional<std::filesystem::path>& overrides,
                                      std::vector<ConfigFault>& faults);
/// The same from documents that are open already; an empty second one changes nothing.
std::shared_ptr<const Pack> read_pack(ConfigDocument document, std::optional<ConfigDocument> overrides,
                                      std::vector<ConfigFault>& faults);

}  // namespace carehub::adapters
