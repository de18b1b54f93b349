#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/channel/mapping_source.hpp"
#include "adapters/channel/pack.hpp"
#include "broker/base/event_builder.hpp"

/// Carries values from a message to an event, or from a view to a partner's row, as a pack says. Pure.
namespace carehub::adapters {

/// What is wrong with a message. Neither text ever holds a value out of it.
struct MappingFault {
  std::string code;  // missing_field, bad_value, unknown_code, unsupported_event, unreadable
  std::string place;
  std::string text;              // why, and what to do
  std::uint16_t hl7_code = 207;  // HL7 table 0357
};

/// Which rule filled which element, from which.
struct Origin {
  const FieldRule* rule = nullptr;
  const SourcePath* source = nullptr;  // nullptr: a constant
  std::array<std::uint32_t, kOpenListsMax> target_indices{};
  std::array<std::uint32_t, kOpenListsMax> source_indices{};
  std::uint8_t source_depth = 0;
};

/// A value that was set, for `carehub try`.
struct MappedValue {
  std::string target;
  std::string value;
  std::string source;  // "constant" where there is none
};

struct Mapping {
  std::vector<Origin> origins;
  std::vector<MappingFault> faults;
  std::vector<MappingFault> warnings;  // left out and carried on
};

/// The first message of the pack whose conditions hold; nullptr when none does.
const MessageRule* choose_message(const Pack& pack, const Source& source);

/// Sets what `rule` can out of `source`; every fault is gathered. `values`, where given, lists all that was
/// set.
Mapping map_message(const Pack& pack, const MessageRule& rule, const Source& source, EventBuilder& builder,
                    std::vector<MappedValue>* values = nullptr);

/// The place in the message that the value at `target` (a path of event.fbs) came from; empty when nothing in
/// the message did. Lists close their gaps in an event, so an element that does not match exactly is matched
/// by its list.
std::string source_place(const Mapping& mapping, const Source& source, std::string_view target);

/// One output value of a view: nullopt when absent. Faults as for messages.
std::optional<std::string> output_value(const Pack& pack, const OutputRule& rule, const Source& source,
                                        Indices indices, std::vector<MappingFault>& faults);

bool holds(const std::vector<Condition>& conditions, const Source& source, Indices indices);

}  // namespace carehub::adapters
