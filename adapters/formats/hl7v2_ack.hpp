#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/formats/hl7v2.hpp"
#include "adapters/formats/times.hpp"
#include "broker/base/bytes.hpp"

/// The Acknowledgment that goes back to a partner (HL7 v2.5.1 section 2.9).
namespace carehub::adapters::hl7v2 {

/// What an acknowledgment needs of the message that it answers; it outlives the message's text.
struct AckHeader {
  Delimiters delimiters;
  std::string sending_application, sending_facility, receiving_application, receiving_facility;  // raw fields
  std::string message_type;                                                                      // MSH-9.1
  std::string trigger;                                                                           // MSH-9.2
  std::string control_id;     // MSH-10, raw
  std::string processing_id;  // MSH-11, raw
  std::string version;        // MSH-12, raw
  std::string accept;         // MSH-15: empty, AL, NE, ER or SU
  std::string application;    // MSH-16
  bool is_answer = false;     // an ACK, or carries an MSA: it is never acknowledged
};
AckHeader ack_header(const Message& message);

/// ERR: where and why. `code` is of HL7 table 0357.
struct AckError {
  std::uint16_t code = 207;
  std::optional<Path> place;  // with the occurrence and repetition that it was
  std::string text;           // never a value out of the message
};

enum class AckOutcome : std::uint8_t { accepted, error, rejected };

/// The messages that answer. Original mode (MSH-15 and MSH-16 both empty): one, AA, AE or AR. Enhanced mode:
/// an accept acknowledgment (CA, CE, CR) as MSH-15 asks and an application acknowledgment (AA, AE, AR) as
/// MSH-16 asks, each AL, NE, ER or SU; empty counts as NE, anything else as AL. The accept level says that
/// the message is stored, which a refused one is too; only where the application level will not tell the
/// sender of an error does the accept level (CE, CR). An answer is never acknowledged. `control_id` names
/// ours; the second message's has "-2" behind it.
std::vector<Bytes> acknowledge(const AckHeader& header, AckOutcome outcome,
                               const std::vector<AckError>& errors, std::string_view control_id,
                               Timestamp now, const Zone& zone);

/// The meaning of a code of HL7 table 0357; "Application internal error" for others.
std::string_view error_meaning(std::uint16_t code);

}  // namespace carehub::adapters::hl7v2
