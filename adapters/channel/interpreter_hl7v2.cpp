#include "adapters/channel/interpreter_hl7v2.hpp"

#include <algorithm>

namespace carehub::adapters {
namespace {

using hl7v2::AckError;
using hl7v2::AckOutcome;

constexpr const char* kMediaType = "x-application/hl7-v2+er7";

hl7v2::Path msh(std::uint16_t field, std::uint16_t component = 0) {
  return hl7v2::Path{.segment = {'M', 'S', 'H'}, .field = field, .component = component};
}

/// MSH-3 and MSH-4 as one name.
std::string system_of(const hl7v2::Message& message) {
  std::string scratch;
  std::string system(message.text_at(msh(3), scratch).value_or(""));
  const std::string facility(message.text_at(msh(4), scratch).value_or(""));
  if (!facility.empty()) system += "@" + facility;
  return system;
}

/// The message's hash without the places that a resend may change (MSH-7).
Hash content_hash(const Pack& pack, const hl7v2::Message& message) {
  std::vector<std::pair<std::size_t, std::size_t>> holes;
  for (const SourcePath& path : pack.identity_ignores) {
    const std::string_view field = message.whole(std::get<hl7v2::Path>(path.path).at({})).text;
    if (field.empty()) continue;
    holes.emplace_back(static_cast<std::size_t>(field.data() - message.text().data()), field.size());
  }
  std::sort(holes.begin(), holes.end());
  std::string text;
  text.reserve(message.text().size());
  std::size_t at = 0;
  for (const auto& [start, size] : holes) {
    if (start < at) continue;
    text.append(message.text().substr(at, start - at));
    at = start + size;
  }
  text.append(message.text().substr(at));
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n')) text.pop_back();
  return sha256(text);
}

/// The trigger is unknown where the type is known: HL7 table 0357 201 rather than 200.
MappingFault unsupported(const Pack& pack, const hl7v2::AckHeader& header) {
  const auto type_known = [&](const MessageRule& rule) {
    return std::any_of(rule.when.begin(), rule.when.end(), [&](const Condition& condition) {
      return condition.path.text == "MSH-9.1" && std::find(condition.values.begin(), condition.values.end(),
                                                           header.message_type) != condition.values.end();
    });
  };
  const bool known = std::any_of(pack.messages.begin(), pack.messages.end(), type_known);
  const char* place = known ? "MSH-9.2" : "MSH-9.1";
  return {"unsupported_event", place,
          std::string(place) + ": this channel takes no such " + (known ? "event" : "message") +
              "; send it to another system or have the mapping pack extended",
          static_cast<std::uint16_t>(known ? 201 : 200)};
}

/// A training or debugging message must never be told as real. HL7 v2.5.1 section 2.15.9.11; empty is taken.
bool wrong_processing_id(const Pack& pack, const hl7v2::Message& message) {
  if (pack.processing_ids.empty()) return false;
  std::string scratch;
  const std::string_view id = message.text_at(msh(11, 1), scratch).value_or("");
  return !id.empty() &&
         std::find(pack.processing_ids.begin(), pack.processing_ids.end(), id) == pack.processing_ids.end();
}

AckError ack_error(const MappingFault& fault) {
  AckError error{.code = fault.hl7_code, .place = {}, .text = fault.text};
  if (auto path = hl7v2::Path::parse(fault.place)) error.place = *path;
  return error;
}

/// HL7 table 0357 for a refusal of the hub's own. 206 and 207 would make a sender try again, so they are not
/// used for what resending cannot mend.
std::uint16_t refusal_code(const client::Refused& refused) {
  switch (refused.kind) {
    case ErrorKind::denied: return 201;
    case ErrorKind::conflict: return 205;
    case ErrorKind::not_found: return 204;
    case ErrorKind::invalid: return refused.code.find("missing") != std::string::npos ? 101 : 102;
    default: return 207;
  }
}

class Hl7Inbound final : public InboundMessage {
 public:
  Hl7Inbound(std::shared_ptr<const Pack> pack, std::shared_ptr<const InterpreterOptions> options,
             Timestamp received_at)
      : pack_(std::move(pack)), options_(std::move(options)), received_at_(received_at) {}

  void add(std::optional<Hl7Outcome> outcome) {
    if (outcome) outcomes_.push_back(std::move(*outcome));
  }

  std::vector<client::Publication> take_publications() override {
    std::vector<client::Publication> publications;
    publications.reserve(outcomes_.size());
    for (Hl7Outcome& outcome : outcomes_) {
      if (!outcome.ignored) publications.push_back(std::move(outcome.publication));
    }
    return publications;
  }

  std::size_t ignored() const override {
    const auto ignored = [](const Hl7Outcome& outcome) { return outcome.ignored; };
    return static_cast<std::size_t>(std::count_if(outcomes_.begin(), outcomes_.end(), ignored));
  }

  std::vector<std::string> left_out() const override {
    std::vector<std::string> places;
    for (const Hl7Outcome& outcome : outcomes_) {
      for (const MappingFault& warning : outcome.mapping.warnings) places.push_back(warning.place);
    }
    return places;
  }

  std::vector<Bytes> answer(const std::vector<client::PublishResult>& results) override {
    std::vector<Bytes> answers;
    const client::PublishResult taken = client::Receipt{};
    std::size_t next = 0;
    for (const Hl7Outcome& outcome : outcomes_) {
      if (!outcome.ignored && next == results.size()) break;
      const client::PublishResult& result = outcome.ignored ? taken : results[next++];
      Bytes random(7);
      options_->random->fill(random);
      auto own = answer_hl7v2(*pack_, *options_, outcome, result, "CH" + to_hex(random), received_at_);
      std::move(own.begin(), own.end(), std::back_inserter(answers));
    }
    return answers;
  }

 private:
  std::shared_ptr<const Pack> pack_;
  std::shared_ptr<const InterpreterOptions> options_;  // the message may outlive its interpreter
  Timestamp received_at_;
  std::vector<Hl7Outcome> outcomes_;
};

class Hl7Interpreter final : public Interpreter {
 public:
  Hl7Interpreter(std::shared_ptr<const Pack> pack, InterpreterOptions options)
      : pack_(std::move(pack)), options_(std::make_shared<const InterpreterOptions>(std::move(options))) {}

  std::unique_ptr<InboundMessage> interpret(Bytes message, const Arrival& arrival) const override {
    auto inbound = std::make_unique<Hl7Inbound>(pack_, options_, arrival.received_at);
    const auto parts = hl7v2::split_batch(text_of(message));
    if (parts.size() == 1 && parts.front().size() == message.size()) {
      inbound->add(interpret_hl7v2(*pack_, *options_, std::move(message), arrival));
      return inbound;
    }
    for (const std::string_view part : parts) {
      const BytesView bytes = bytes_of(part);
      inbound->add(interpret_hl7v2(*pack_, *options_, Bytes(bytes.begin(), bytes.end()), arrival));
    }
    return inbound;
  }

 private:
  std::shared_ptr<const Pack> pack_;
  std::shared_ptr<const InterpreterOptions> options_;
};

}  // namespace

std::optional<Hl7Outcome> interpret_hl7v2(const Pack& pack, const InterpreterOptions& options, Bytes original,
                                          const Arrival& arrival, std::vector<MappedValue>* values) {
  Hl7Outcome outcome;
  std::string converted;
  // The views outlive moves of `original`: a vector keeps its memory when it is moved.
  const std::string_view text = hl7v2::utf8_text(text_of(original), pack.character_set, converted);
  auto message = hl7v2::Message::parse(text);
  if (!message) {
    outcome.rejected = true;
    outcome.mapping.faults.push_back({"unreadable", "MSH", "MSH: " + message.error().text, 100});
    outcome.publication =
        make_publication(options, {}, outcome.mapping.faults, std::move(original), kMediaType);
    return outcome;
  }
  outcome.header = hl7v2::ack_header(*message);
  if (outcome.header.is_answer) return std::nullopt;
  const Hl7Source source(*message);
  const bool real = !wrong_processing_id(pack, *message);
  if (real) outcome.rule = choose_message(pack, source);
  if (outcome.rule == nullptr) {
    outcome.rejected = true;
    outcome.mapping.faults.push_back(
        real ? unsupported(pack, outcome.header)
             : MappingFault{
                   "unsupported_processing_id", "MSH-11",
                   "MSH-11: this channel takes no training or debugging messages; send them to a test "
                   "hub or add the id to processing_ids in the channel's overrides",
                   202});
    outcome.publication =
        make_publication(options, {}, outcome.mapping.faults, std::move(original), kMediaType);
    return outcome;
  }
  if (outcome.rule->ignore) {
    outcome.ignored = true;
    return outcome;
  }
  EventBuilder builder;
  outcome.mapping = map_message(pack, *outcome.rule, source, builder, values);
  std::string scratch;
  const Envelope envelope{.message_id = std::string(message->text_at(msh(10), scratch).value_or("")),
                          .system = system_of(*message),
                          .received_at = arrival.received_at};
  Bytes event = finish_event(builder, pack, *outcome.rule, options, envelope, outcome.mapping);
  outcome.publication =
      make_publication(options, std::move(event), outcome.mapping.faults, std::move(original), kMediaType);
  std::vector<std::string_view> identity;
  identity.reserve(pack.identity.size());
  for (const SourcePath& path : pack.identity) {
    identity.push_back(message->whole(std::get<hl7v2::Path>(path.path).at({})).text);
  }
  outcome.publication.identity = identity_of(identity);
  outcome.publication.content_hash = content_hash(pack, *message);
  outcome.publication.on_reuse = pack.on_reuse;
  return outcome;
}

std::vector<Bytes> answer_hl7v2(const Pack& pack, const InterpreterOptions& options,
                                const Hl7Outcome& outcome, const client::PublishResult& result,
                                std::string_view control_id, Timestamp now) {
  const auto* refused = std::get_if<client::Refused>(&result);
  std::vector<AckError> errors;
  AckOutcome ack = AckOutcome::accepted;
  if (refused != nullptr) {
    const bool keep = options.unmappable == Unmappable::keep && refused->kind != ErrorKind::denied;
    if (!keep)
      ack = outcome.rejected || refused->kind == ErrorKind::denied ? AckOutcome::rejected : AckOutcome::error;
    for (const MappingFault& fault : outcome.mapping.faults) errors.push_back(ack_error(fault));
    if (errors.empty()) {
      const hl7v2::Message none;
      MappingFault fault{refused->code, source_place(outcome.mapping, Hl7Source(none), refused->place),
                         refused->text, refusal_code(*refused)};
      if (fault.place.empty()) {  // no field of the message became it, so what asks for it is the type
        fault.place = "MSH-9";
        if (!refused->place.empty()) fault.text = refused->place + ": " + fault.text;
      }
      fault.text = fault.place + ": " + fault.text;
      errors.push_back(ack_error(fault));
    }
  }
  return hl7v2::acknowledge(outcome.header, ack, errors, control_id, now, *pack.zone);
}

std::unique_ptr<Interpreter> make_hl7v2_interpreter(std::shared_ptr<const Pack> pack,
                                                    InterpreterOptions options) {
  return std::make_unique<Hl7Interpreter>(std::move(pack), std::move(options));
}

}  // namespace carehub::adapters
