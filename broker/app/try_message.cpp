#include <algorithm>
#include <ostream>

#include "adapters/channel/interpreter_explain.hpp"
#include "broker/app/commands.hpp"
#include "broker/app/configuration.hpp"
#include "broker/app/input_file.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/preview.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"

namespace carehub::app {
namespace {

using adapters::ExplainedMessage;
using Verdict = DisclosurePreview::Verdict;

/// One message, and what the hub would decide about it.
struct Tried {
  ExplainedMessage message;
  EventPreview preview;
  bool good = false;   // it would be kept, or knowingly not kept
  bool keeps = false;  // the channel stores what it cannot map

  const std::vector<std::string>& answers() const {
    return preview.faults.empty() ? message.answer_received : message.answer_refused;
  }
};

Result<Tried> try_one(const server::HubConfig& hub, const std::string& channel, ExplainedMessage message,
                      Timestamp now) {
  Tried tried{std::move(message), {}, false, false};
  const auto& publication = tried.message.publication;
  if (publication.problem || !tried.message.faults.empty()) return tried;
  if (tried.message.ignored) {
    tried.preview.out_of_scope = "the pack acknowledges such a message and makes nothing of it";
    tried.good = true;
    return tried;
  }
  const event::Event* event = verified_event(publication.event);
  if (event == nullptr)
    return fail(ErrorKind::invalid, "the message becomes an event that is larger than allowed");
  auto preview = preview_event(hub, channel, *event, now);
  if (!preview) return tl::unexpected(preview.error());
  tried.preview = *std::move(preview);
  tried.good = tried.preview.faults.empty();
  return tried;
}

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::not_wanted: return "not wanted";
    case Verdict::withheld: return "withheld";
    case Verdict::shown: return "shown";
  }
  return "";
}

std::string problem_json(const std::string& code, const std::string& place, const std::string& text) {
  return JsonLine().add("code", code).add("place", place).add("text", text).text();
}

std::string disclosure_json(const DisclosurePreview& disclosure) {
  JsonLine line;
  line.add("subscription", disclosure.subscription)
      .add("agency", disclosure.agency)
      .add("role", disclosure.role);
  line.add("verdict", verdict_name(disclosure.verdict));
  if (disclosure.verdict == Verdict::shown) {
    line.add("rule", disclosure.rule).add("legal_basis", disclosure.legal_basis);
    line.add("fields_withheld", std::uint64_t{disclosure.fields_withheld});
    add_event(line, disclosure.view);
  }
  return line.text();
}

std::string tried_json(const Tried& tried) {
  const auto& message = tried.message;
  JsonList values, unmapped, faults, warnings, answers, disclosures;
  for (const auto& value : message.values) {
    JsonLine line;
    line.add("path", value.target).add("value", value.value).add("source", value.source);
    values.add_json(line.text());
  }
  for (const auto& name : message.unmapped) unmapped.add(name);
  for (const auto& fault : message.faults) faults.add_json(problem_json(fault.code, fault.place, fault.text));
  for (const auto& fault : tried.preview.faults)
    faults.add_json(problem_json(fault.code, fault.place, fault.text));
  for (const auto& fault : message.warnings)
    warnings.add_json(problem_json(fault.code, fault.place, fault.text));
  for (const auto& answer : tried.answers()) answers.add(answer);
  for (const auto& each : tried.preview.disclosures) disclosures.add_json(disclosure_json(each));
  JsonLine line;
  line.add("place", message.place).add("message", message.kind).add_flag("accepted", tried.good);
  if (tried.preview.out_of_scope) line.add("not_kept", *tried.preview.out_of_scope);
  line.add_json("values", values.text())
      .add_json("unmapped", unmapped.text())
      .add_json("faults", faults.text());
  line.add_json("warnings", warnings.text()).add_json("answers", answers.text());
  add_event(line, message.publication.event);
  return line.add_json("disclosures", disclosures.text()).text();
}

void print_answers(const std::vector<std::string>& answers, std::ostream& out) {
  out << (answers.empty() ? "answer: none is asked for\n" : "answer:\n");
  for (const auto& answer : answers) {
    std::string line;
    for (const char c : answer) {
      if (c != '\r' && c != '\n') {
        line += c;
      } else if (!line.empty()) {
        out << "    " << printable(std::exchange(line, {})) << '\n';
      }
    }
    if (!line.empty()) out << "    " << printable(line) << '\n';
  }
}

void print_faults_of(const Tried& tried, std::ostream& out) {
  const auto print = [&out](const char* what, const std::string& code, const std::string& place,
                            const std::string& text) {
    // A text that opens with its place need not be told it twice.
    out << what << " " << code << (place.empty() || text.starts_with(place) ? "" : " at " + place) << ": "
        << text << '\n';
  };
  for (const auto& fault : tried.message.faults) print("wrong:", fault.code, fault.place, fault.text);
  if (tried.message.faults.empty() && tried.message.publication.problem) {
    const auto& problem = *tried.message.publication.problem;
    print("wrong:", problem.code, problem.place, problem.text);
  }
  for (const auto& fault : tried.preview.faults) print("wrong:", fault.code, fault.place, fault.text);
  for (const auto& warning : tried.message.warnings)
    print("warning:", warning.code, warning.place, warning.text);
}

void print_disclosures(const Tried& tried, std::ostream& out) {
  if (tried.message.publication.problem && tried.keeps) {
    out << "kept: acknowledged once its original is stored, with an alarm for an operator\n";
  }
  if (tried.preview.out_of_scope) {
    out << "not kept: " << *tried.preview.out_of_scope
        << "; acknowledged, counted, and nothing of it stored\n";
  }
  for (const auto& each : tried.preview.disclosures) {
    out << each.subscription << "  (" << each.agency << " as " << each.role << ")  ";
    if (each.verdict == Verdict::not_wanted) {
      out << "not wanted by its filter\n";
    } else if (each.verdict == Verdict::withheld) {
      out << "withheld: no rule fits\n";
    } else {
      out << "shown by rule \"" << each.rule << "\", " << each.fields_withheld
          << " fields withheld\n    basis: " << each.legal_basis << '\n';
      print_fields(out, each.view);
    }
  }
}

void print_tried(const Tried& tried, std::ostream& out) {
  const auto& message = tried.message;
  const event::Event* event =
      message.publication.event.empty() ? nullptr : verified_event(message.publication.event);
  if (!message.place.empty()) out << message.place << '\n';
  out << "becomes: " << (event == nullptr ? "no event" : event_type_name(event->type()))
      << (message.kind.empty() ? std::string() : " (by [[message]] \"" + message.kind + "\")") << '\n';
  std::vector<std::vector<std::string>> cells;
  cells.reserve(message.values.size());
  for (const auto& value : message.values) {
    cells.push_back({"    " + value.target, printable(value.value), value.source});
  }
  print_table(out, {"    field", "value", "from"}, cells);
  if (!message.unmapped.empty()) {
    out << "not mapped:";
    for (const auto& name : message.unmapped) out << ' ' << printable(name);
    out << '\n';
  }
  print_faults_of(tried, out);
  print_disclosures(tried, out);
  print_answers(tried.answers(), out);
}

}  // namespace

ExitCode try_message(const TryOptions& options, Surroundings& surroundings) {
  const Configuration configuration = read_configuration(options.config);
  if (!configuration.faults.empty()) {
    print_faults(configuration.faults, surroundings.err);
    return ExitCode::wrong_input;
  }
  const auto channel =
      std::find_if(configuration.channels.begin(), configuration.channels.end(), [&](const auto& each) {
        return each.name == options.channel && each.direction == adapters::Direction::in;
      });
  if (channel == configuration.channels.end()) {
    std::vector<std::string> names;
    names.reserve(configuration.hub.rules.inbound.size());
    for (const auto& each : configuration.hub.rules.inbound) names.push_back(each.name);
    const std::string nearest = nearest_word(options.channel, names);
    return complain(surroundings, ExitCode::not_found,
                    "no inbound channel has the name `" + options.channel + "`" +
                        (nearest.empty() ? "" : ". Did you mean `" + nearest + "`?"));
  }
  auto text = read_input(options.file, surroundings);
  if (!text) return complain(surroundings, text.error());

  const SystemClock clock;
  SystemRandom random;
  adapters::InterpreterOptions interpreter;
  interpreter.agency = channel->agency;
  interpreter.channel = channel->name;
  interpreter.unmappable = channel->unmappable;
  interpreter.random = &random;
  adapters::Arrival arrival;
  arrival.received_at = clock.now();
  arrival.source = std::filesystem::path(options.file).filename().string();
  bool good = true;
  const BytesView bytes = bytes_of(*text);
  auto messages = adapters::explain(channel->pack, interpreter, {bytes.begin(), bytes.end()}, arrival);
  if (messages.empty())
    return complain(surroundings, ExitCode::wrong_input, "there is no message in it that this channel takes");
  for (auto& message : messages) {
    auto tried = try_one(configuration.hub, channel->name, std::move(message), clock.now());
    if (!tried) return complain(surroundings, tried.error());
    tried->keeps = channel->unmappable == adapters::Unmappable::keep;
    good = good && tried->good;
    if (options.json) {
      surroundings.out << tried_json(*tried) << '\n';
    } else {
      print_tried(*tried, surroundings.out);
    }
  }
  surroundings.out << std::flush;
  return good ? ExitCode::ok : ExitCode::wrong_input;
}

}  // namespace carehub::app
