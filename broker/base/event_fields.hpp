#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/bytes.hpp"
#include "broker/base/result.hpp"
#include "schemas/event_generated.h"

/// An Event's fields by name. One path is good for mappings, disclosure rules, queries and output alike:
///   admission.location.ward       person.names[].family       person.names[0].given[1]
/// Values are canonical text: enumerations by name (`verified`), Date as 2012-05-03, 2012-05 or 2012, Time as
/// RFC 3339 cut to its precision with its offset (2026-03-01T09:30+00:00), whole numbers in decimal.
namespace carehub {

enum class FieldKind : std::uint8_t { text, integer, enumeration, date, time, table };

/// A path that exists in event.fbs. `[]` stands for every element; `[3]` for one.
class FieldPath {
 public:
  static constexpr std::int32_t kEvery = -1;
  struct Step {
    std::uint16_t field = 0;      // field id in its table (vtable slot)
    bool list = false;            // the field is a vector
    std::int32_t index = kEvery;  // meaningful where list
  };

  /// Error `invalid` names the unknown part and the nearest name that exists. A list without brackets means
  /// `[]`.
  static Result<FieldPath> parse(std::string_view text);

  const std::string& text() const { return text_; }
  FieldKind kind() const { return kind_; }
  const std::vector<Step>& steps() const { return steps_; }
  /// The number of `[]` in the path.
  std::size_t open_lists() const;
  /// True when `other` is this path or lies below it (indices: `[]` covers every index).
  bool covers(const FieldPath& other) const;
  /// The same path with its `[]` filled from the left.
  FieldPath at(std::span<const std::uint32_t> indices) const;

 private:
  std::string text_;
  FieldKind kind_ = FieldKind::text;
  std::vector<Step> steps_;
};

/// All leaf paths of event.fbs with `[]` for lists, in schema order: for `nearest name` and for
/// documentation.
const std::vector<std::string>& event_field_names();

/// Names of an enumeration's values, by the path of a field of that type.
std::vector<std::string> enumeration_names(const FieldPath& path);

/// Calls `visit(path, value)` for every leaf that is present, in schema order; the path has concrete indices.
/// `event` must have passed the verifier.
void visit_fields(const event::Event& event,
                  const std::function<void(const std::string&, std::string_view)>& visit);

/// The values at a path, in order; empty when absent.
std::vector<std::string> field_values(const event::Event& event, const FieldPath& path);

/// The event as one JSON object with the names of event.fbs, canonical values, absent fields left out.
/// indent 0: one line.
std::string event_to_json(const event::Event& event, int indent = 0);

/// Runs the FlatBuffers verifier with the limits of base/limits.hpp; nullptr when the bytes are not an Event.
const event::Event* verified_event(BytesView bytes);

/// The snake-case name of a type as in event.fbs, and back (EventType::unknown when there is none).
const char* event_type_name(event::EventType type);
event::EventType event_type_from(std::string_view name);

/// Canonical text of Time and Date, and back.
std::string time_text(const event::Time& time);
std::string date_text(const event::Date& date);
Result<event::Time> parse_time(std::string_view text);
Result<event::Date> parse_date(std::string_view text);

}  // namespace carehub
