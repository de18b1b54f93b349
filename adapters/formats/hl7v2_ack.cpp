#include "adapters/formats/hl7v2_ack.hpp"

#include <algorithm>
#include <charconv>

namespace carehub::adapters::hl7v2 {
namespace {

constexpr std::size_t kErrorsMax = 10;        // ERR segments in one acknowledgment
constexpr std::size_t kHeaderFieldMax = 512;  // of a header field that is sent back

Path msh(std::uint16_t field, std::uint16_t component = 0) {
  return Path{.segment = {'M', 'S', 'H'}, .field = field, .component = component};
}

std::string kept(std::string_view text) {
  std::string out(text.substr(0, kHeaderFieldMax));
  std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  return out;
}

/// Whether an acknowledgment condition (HL7 table 0155) asks for an answer to this outcome.
bool wanted(std::string_view condition, bool success) {
  if (condition.empty() || condition == "NE") return false;
  if (condition == "ER") return !success;
  if (condition == "SU") return success;
  return true;
}

/// 2.5 and later have ERR-2, ERR-3 and ERR-4 (HL7 v2.5 section 2.15.5).
bool has_new_err(std::string_view version) {
  const std::string_view number = version.substr(0, version.find_first_of("^~& "));
  if (!number.starts_with("2.")) return true;
  int minor = 0;
  std::from_chars(number.data() + 2, number.data() + number.size(), minor);
  return minor >= 5;
}

class Writer {
 public:
  explicit Writer(const AckHeader& header) : header_(header), delimiters_(header.delimiters) {
    // An answer is always written with a full set, for an ERR needs components and escapes.
    const auto fill = [&](char& delimiter, std::string_view choices) {
      if (delimiter != '\0') return;
      for (const char choice : choices) {
        const char all[] = {delimiters_.field, delimiters_.component, delimiters_.repetition,
                            delimiters_.escape, delimiters_.subcomponent};
        if (std::find(std::begin(all), std::end(all), choice) == std::end(all)) {
          delimiter = choice;
          return;
        }
      }
    };
    fill(delimiters_.component, "^!$%@#");
    fill(delimiters_.repetition, "~!$%@#");
    fill(delimiters_.escape, "\\!$%@#");
    fill(delimiters_.subcomponent, "&!$%@#");
  }

  Bytes write(std::string_view code, const std::vector<AckError>& errors, std::string_view control_id,
              std::string_view time) {
    const char bar = delimiters_.field;
    const char caret = delimiters_.component;
    out_ = "MSH";
    out_ += bar;
    out_ += {delimiters_.component, delimiters_.repetition, delimiters_.escape, delimiters_.subcomponent};
    for (const std::string* field : {&header_.receiving_application, &header_.receiving_facility,
                                     &header_.sending_application, &header_.sending_facility}) {
      out_ += bar + *field;
    }
    out_ += bar + std::string(time) + bar + bar + "ACK";
    if (!header_.trigger.empty()) {
      out_ += caret + header_.trigger;
      if (has_new_err(header_.version)) out_ += caret + std::string("ACK");
    }
    out_ += bar + std::string(control_id);
    out_ += bar + (header_.processing_id.empty() ? std::string("P") : header_.processing_id);
    out_ += bar + (header_.version.empty() ? std::string("2.5.1") : header_.version);
    // The texts in ERR are UTF-8.
    out_ += std::string(6, bar) + "UNICODE UTF-8\r";
    out_ += "MSA" + std::string(1, bar) + std::string(code) + bar + header_.control_id + "\r";
    for (std::size_t i = 0; i < std::min(errors.size(), kErrorsMax); ++i) write_error(errors[i]);
    const auto* first = reinterpret_cast<const std::uint8_t*>(out_.data());
    return {first, first + out_.size()};
  }

 private:
  std::string place(const Path& path, char separator, bool position_first) const {
    // ELD (up to 2.4): segment, sequence, field. ERL (from 2.5): repetition, component and subcomponent
    // besides.
    std::string out(path.segment.begin(), path.segment.end());
    out += separator + std::to_string(std::max(path.occurrence, 0) + 1);
    if (path.field == 0) return out;
    out += separator + std::to_string(path.field);
    if (!position_first) return out;
    out += separator + std::to_string(std::max(path.repetition, 0) + 1);
    if (path.component != 0) out += separator + std::to_string(path.component);
    if (path.subcomponent != 0) out += separator + std::to_string(path.subcomponent);
    return out;
  }

  std::string coded(const AckError& error, char separator) const {
    return std::to_string(error.code) + separator + escape(error_meaning(error.code), delimiters_) +
           separator + "HL70357";
  }

  void write_error(const AckError& error) {
    const char bar = delimiters_.field;
    out_ += "ERR" + std::string(1, bar);
    if (has_new_err(header_.version)) {
      out_ += bar + (error.place ? place(*error.place, delimiters_.component, true) : std::string{});
      out_ += bar + coded(error, delimiters_.component) + bar + "E";
      out_ += std::string(4, bar) + escape(error.text, delimiters_);
    } else {
      const std::string where =
          error.place ? place(*error.place, delimiters_.component, false) : std::string{};
      const auto parts = std::count(where.begin(), where.end(), delimiters_.component);
      out_ +=
          where + std::string(static_cast<std::size_t>(where.empty() ? 3 : 3 - parts), delimiters_.component);
      out_ += coded(error, delimiters_.subcomponent);
    }
    out_ += '\r';
  }

  const AckHeader& header_;
  Delimiters delimiters_;
  std::string out_;
};

}  // namespace

AckHeader ack_header(const Message& message) {
  AckHeader header;
  header.delimiters = message.delimiters();
  const auto whole = [&](std::uint16_t field) { return kept(message.whole(msh(field)).text); };
  header.sending_application = whole(3);
  header.sending_facility = whole(4);
  header.receiving_application = whole(5);
  header.receiving_facility = whole(6);
  header.message_type = kept(message.value(msh(9, 1)).text);
  header.trigger = kept(message.value(msh(9, 2)).text);
  header.control_id = whole(10);
  header.processing_id = whole(11);
  header.version = whole(12);
  header.accept = kept(message.value(msh(15)).text);
  header.application = kept(message.value(msh(16)).text);
  header.is_answer = header.message_type == "ACK" || message.occurrences({'M', 'S', 'A'}) > 0;
  return header;
}

std::vector<Bytes> acknowledge(const AckHeader& header, AckOutcome outcome,
                               const std::vector<AckError>& errors, std::string_view control_id,
                               Timestamp now, const Zone& zone) {
  if (header.is_answer) return {};
  const bool success = outcome == AckOutcome::accepted;
  const std::string time = hl7_time(now, zone);
  Writer writer(header);
  const std::vector<AckError> none;
  if (header.accept.empty() && header.application.empty()) {
    const char* code = success ? "AA" : outcome == AckOutcome::error ? "AE" : "AR";
    return {writer.write(code, success ? none : errors, control_id, time)};
  }
  std::vector<Bytes> answers;
  const bool application = wanted(header.application, success);
  const bool stored = success || application;
  const char* accept_code = stored ? "CA" : outcome == AckOutcome::error ? "CE" : "CR";
  if (wanted(header.accept, stored)) {
    answers.push_back(writer.write(accept_code, stored ? none : errors, control_id, time));
  }
  if (application) {
    const char* code = success ? "AA" : outcome == AckOutcome::error ? "AE" : "AR";
    const std::string second = std::string(control_id) + (answers.empty() ? "" : "-2");
    answers.push_back(writer.write(code, success ? none : errors, second, time));
  }
  return answers;
}

std::string_view error_meaning(std::uint16_t code) {
  switch (code) {
    case 0: return "Message accepted";
    case 100: return "Segment sequence error";
    case 101: return "Required field missing";
    case 102: return "Data type error";
    case 103: return "Table value not found";
    case 200: return "Unsupported message type";
    case 201: return "Unsupported event code";
    case 202: return "Unsupported processing id";
    case 203: return "Unsupported version id";
    case 204: return "Unknown key identifier";
    case 205: return "Duplicate key identifier";
    case 206: return "Application record locked";
    default: return "Application internal error";
  }
}

}  // namespace carehub::adapters::hl7v2
