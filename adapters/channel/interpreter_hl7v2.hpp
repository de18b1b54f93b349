#pragma once

#include <optional>

#include "adapters/channel/interpreter_publication.hpp"
#include "adapters/formats/hl7v2_ack.hpp"

/// HL7 v2 messages in: one publication a message, and the acknowledgment that MSH-15 and MSH-16 ask for.
namespace carehub::adapters {

/// What one HL7 message became.
struct Hl7Outcome {
  client::Publication publication;
  hl7v2::AckHeader header;
  Mapping mapping;
  const MessageRule* rule = nullptr;  // nullptr: none fits
  bool rejected = false;              // MSH-9 or MSH-11 is unacceptable, or this is no HL7: AR rather than AE
  bool ignored = false;               // the pack takes it and makes nothing of it: no publication, and AA
};

/// nullopt: an acknowledgment, which becomes nothing and is not answered.
std::optional<Hl7Outcome> interpret_hl7v2(const Pack& pack, const InterpreterOptions& options, Bytes original,
                                          const Arrival& arrival, std::vector<MappedValue>* values = nullptr);

/// What to answer, given what the hub said.
std::vector<Bytes> answer_hl7v2(const Pack& pack, const InterpreterOptions& options,
                                const Hl7Outcome& outcome, const client::PublishResult& result,
                                std::string_view control_id, Timestamp now);

std::unique_ptr<Interpreter> make_hl7v2_interpreter(std::shared_ptr<const Pack> pack,
                                                    InterpreterOptions options);

}  // namespace carehub::adapters
