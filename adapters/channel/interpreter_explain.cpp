#include "adapters/channel/interpreter_explain.hpp"

#include <algorithm>
#include <set>

#include "adapters/channel/interpreter_hl7v2.hpp"

namespace carehub::adapters {
namespace {

Bytes bytes_from(std::string_view text) {
  const BytesView view = bytes_of(text);
  return {view.begin(), view.end()};
}

/// Every place that a message's fields and conditions read.
std::vector<const SourcePath*> places_read(const MessageRule& rule) {
  std::vector<const SourcePath*> places;
  const auto add = [&](const std::vector<SourcePath>& paths) {
    for (const SourcePath& path : paths) places.push_back(&path);
  };
  const auto add_conditions = [&](const std::vector<Condition>& conditions) {
    for (const Condition& condition : conditions) places.push_back(&condition.path);
  };
  add_conditions(rule.when);
  for (const FieldRule& field : rule.fields) {
    add(field.from);
    add(field.compose);
    add_conditions(field.when);
  }
  return places;
}

std::vector<std::string> texts(const std::vector<Bytes>& answers) {
  std::vector<std::string> out;
  out.reserve(answers.size());
  for (const Bytes& answer : answers) out.emplace_back(text_of(answer));
  return out;
}

/// What the hub would answer; `taken` false: what it would say of the message's first fault, or of one of its
/// own.
client::PublishResult result(const client::Publication& publication, bool taken) {
  if (taken && !publication.problem) return client::Receipt{};
  if (publication.problem) {
    return client::Refused{ErrorKind::invalid, publication.problem->code, publication.problem->place,
                           publication.problem->text, 0};
  }
  return client::Refused{ErrorKind::invalid, "invalid", {}, "the hub would not take it", 0};
}

std::vector<std::string> unmapped_segments(const MessageRule& rule, std::string_view text) {
  std::set<std::string, std::less<>> read{"MSH"};
  for (const SourcePath* path : places_read(rule)) {
    const auto& segment = std::get<hl7v2::Path>(path->path).segment;
    read.emplace(segment.begin(), segment.end());
  }
  std::vector<std::string> unmapped;
  const auto message = hl7v2::Message::parse(text);
  if (!message) return unmapped;
  for (const auto& segment : message->segments()) {
    const std::string name(segment.name);
    if (!read.contains(name) && std::find(unmapped.begin(), unmapped.end(), name) == unmapped.end()) {
      unmapped.push_back(name);
    }
  }
  return unmapped;
}

std::vector<ExplainedMessage> explain_hl7v2(const Pack& pack, const InterpreterOptions& options,
                                            const Bytes& bytes, const Arrival& arrival) {
  std::vector<ExplainedMessage> all;
  const auto parts = hl7v2::split_batch(text_of(bytes));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    ExplainedMessage message;
    auto outcome = interpret_hl7v2(pack, options, bytes_from(parts[i]), arrival, &message.values);
    if (!outcome) continue;
    if (parts.size() > 1) message.place = "message " + std::to_string(i + 1);
    if (outcome->rule != nullptr) {
      message.kind = outcome->rule->name;
      message.ignored = outcome->ignored;
    }
    if (outcome->rule != nullptr && !outcome->ignored) {
      std::string converted;
      message.unmapped =
          unmapped_segments(*outcome->rule, hl7v2::utf8_text(parts[i], pack.character_set, converted));
    }
    message.faults = outcome->mapping.faults;
    message.warnings = outcome->mapping.warnings;
    const auto answer = [&](bool taken) {
      return texts(answer_hl7v2(pack, options, *outcome, result(outcome->publication, taken), "CH0",
                                arrival.received_at));
    };
    message.answer_received = answer(true);
    message.answer_refused = answer(false);
    message.publication = std::move(outcome->publication);
    all.push_back(std::move(message));
  }
  return all;
}

/// Formats whose messages are explained by what they become.
std::vector<ExplainedMessage> explain_others(const std::shared_ptr<const Pack>& pack,
                                             const InterpreterOptions& options, Bytes bytes,
                                             const Arrival& arrival) {
  std::vector<ExplainedMessage> all;
  const auto inbound = make_interpreter(pack, options)->interpret(std::move(bytes), arrival);
  auto publications = inbound->take_publications();
  std::vector<client::PublishResult> received;
  std::vector<client::PublishResult> refused;
  for (const client::Publication& publication : publications) {
    received.push_back(result(publication, true));
    refused.push_back(result(publication, false));
  }
  const auto answer_received = texts(inbound->answer(received));
  const auto answer_refused = texts(inbound->answer(refused));
  for (std::size_t i = 0; i < publications.size(); ++i) {
    ExplainedMessage message;
    if (publications.size() > 1) message.place = "item " + std::to_string(i + 1);
    client::Publication& publication = publications[i];
    if (publication.problem) {
      message.faults.push_back(
          {publication.problem->code, publication.problem->place, publication.problem->text});
    } else if (const auto* event = verified_event(publication.event)) {
      message.kind = event_type_name(event->type());
      visit_fields(*event, [&](const std::string& path, std::string_view value) {
        message.values.push_back({path, std::string(value), {}});
      });
    }
    if (i == 0) {
      message.answer_received = answer_received;
      message.answer_refused = answer_refused;
    }
    message.publication = std::move(publication);
    all.push_back(std::move(message));
  }
  return all;
}

}  // namespace

std::vector<ExplainedMessage> explain(const std::shared_ptr<const Pack>& pack,
                                      const InterpreterOptions& options, Bytes message,
                                      const Arrival& arrival) {
  if (pack->format == Format::hl7v2) return explain_hl7v2(*pack, options, message, arrival);
  return explain_others(pack, options, std::move(message), arrival);
}

}  // namespace carehub::adapters
