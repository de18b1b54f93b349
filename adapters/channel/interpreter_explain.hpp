#pragma once

#include <string>
#include <vector>

#include "adapters/channel/interpreter.hpp"
#include "adapters/channel/mapping.hpp"

/// What one message would become, for `carehub try`: touches nothing.
namespace carehub::adapters {

struct ExplainedMessage {
  std::string place;     // of this message in the file: message 2, line 7, $[1]; empty when it is alone
  std::string kind;      // the [[message]] that fits; empty: none
  bool ignored = false;  // the pack takes it and makes nothing of it
  std::vector<MappedValue> values;
  std::vector<std::string> unmapped;  // segments, columns or members that no field reads
  std::vector<MappingFault> faults;
  std::vector<MappingFault> warnings;
  client::Publication publication;
  std::vector<std::string> answer_received;  // what would go back when the hub takes it
  std::vector<std::string> answer_refused;   // and when it does not
};

/// In the order of the file. A message that is itself an answer (HL7 ACK) is left out.
std::vector<ExplainedMessage> explain(const std::shared_ptr<const Pack>& pack,
                                      const InterpreterOptions& options, Bytes message,
                                      const Arrival& arrival);

}  // namespace carehub::adapters
