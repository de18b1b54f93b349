#pragma once

#include <string_view>
#include <vector>

#include "adapters/channel/interpreter.hpp"
#include "adapters/channel/mapping.hpp"

/// What the interpreters of all formats do alike when a message becomes a publication.
namespace carehub::adapters {

/// What the hub adds to an event about where it came from.
struct Envelope {
  std::string message_id;
  std::string system;
  Timestamp received_at;
};

/// Sets the envelope's fields and a new id, and finishes the event. Faults that show only now are added.
Bytes finish_event(EventBuilder& builder, const Pack& pack, const MessageRule& rule,
                   const InterpreterOptions& options, const Envelope& envelope, Mapping& mapping);

/// A publication of `event`, or of the first of `faults` with the count of the others when there are any.
client::Publication make_publication(const InterpreterOptions& options, Bytes event,
                                     const std::vector<MappingFault>& faults, Bytes original,
                                     std::string original_media_type);

/// The values at the pack's identity paths, each with its length before it, so that no two sets of values
/// look alike.
Bytes identity_of(const std::vector<std::string_view>& values);

Hash sha256(std::string_view text);

}  // namespace carehub::adapters
