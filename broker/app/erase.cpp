#include <istream>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/long_question.hpp"

namespace carehub::app {
namespace {

std::string numbers(const std::vector<std::uint64_t>& sequences) {
  std::string text;
  for (const auto sequence : sequences) text += (text.empty() ? "" : ", ") + std::to_string(sequence);
  return text;
}

void print_json(const wire::ErasedT& erased, bool preview, std::ostream& out) {
  JsonLine line;
  line.add_flag("preview", preview).add("events", erased.events).add("refusals", erased.refusals);
  line.add("identifiers", erased.identifiers).add("shared", numbers(erased.shared));
  if (!preview) line.add("recorded_as", erased.sequence).add_flag("complete", erased.complete);
  if (!erased.text.empty()) line.add("text", erased.text);
  out << line.text() << std::endl;
}

void print_counts(const wire::ErasedT& erased, std::ostream& out) {
  out << "events: " << erased.events << "\nrefused messages: " << erased.refusals
      << "\nidentifiers: " << erased.identifiers << '\n';
  if (!erased.shared.empty()) {
    out << "entries that are about somebody else, too: " << numbers(erased.shared)
        << "\n  (those under this person go; what others' entries say of this person stays, and so does what "
           "stands in free text)\n";
  }
  if (!erased.text.empty()) out << erased.text << '\n';
  out << std::flush;
}

void print_done(const wire::ErasedT& erased, std::ostream& out) {
  if (erased.complete) {
    out << "complete: the keys are destroyed, recorded as entry " << erased.sequence << std::endl;
    return;
  }
  out << "not complete, recorded as entry " << erased.sequence
      << ". Delete what is named above; then carehub erase hub.toml --person sequence:" << erased.sequence
      << " looks again" << std::endl;
}

/// Asks, and waits for as long as the hub searches its ledger.
Result<wire::ErasedT> search(client::HubClient& hub, wire::EraseT question, Surroundings& surroundings) {
  const char* stopped = question.preview ? "stopped: the hub gives up its search, and nothing has been erased"
                                         : "no longer waited for: the hub gives up its search, unless that "
                                           "had come to its end already; then "
                                           "it erases, and tells so in its ledger (carehub audit trail)";
  auto erased = ask_long(hub, std::move(question), stopped, surroundings);
  if (erased && erased->error != wire::ErrorKind::unknown)
    return fail(error_kind(erased->error), erased->text);
  return erased;
}

}  // namespace

ExitCode erase(const EraseOptions& options, Surroundings& surroundings) {
  const bool asks = !options.preview && !options.yes;
  if (asks && (!surroundings.somebody_to_ask || options.person.text == "-" || options.person.file == "-"))
    return complain(surroundings, ExitCode::usage, kNobodyToAsk);
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  const auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, ExitCode::usage, person.error().text);
  auto hub = connect(*config, "carehub erase", {});
  if (!hub) return complain(surroundings, hub.error());
  wire::EraseT question;
  question.person = *person;
  question.by = options.by;
  question.reason = options.reason;
  question.preview = true;
  if (options.preview || asks) {
    const auto counted = search(**hub, question, surroundings);
    if (!counted) return complain(surroundings, counted.error());
    if (options.preview && options.json) {
      print_json(*counted, true, surroundings.out);
    } else {
      print_counts(*counted, surroundings.out);
    }
    if (options.preview) return ExitCode::ok;
    if (!confirmed(surroundings, "This cannot be undone.", "erase"))
      return complain(surroundings, ExitCode::usage, "nothing has been erased");
  }
  question.preview = false;
  const auto erased = search(**hub, std::move(question), surroundings);
  if (!erased) return complain(surroundings, erased.error());
  if (options.json) {
    print_json(*erased, false, surroundings.out);
  } else {
    print_counts(*erased, surroundings.out);
    print_done(*erased, surroundings.out);
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
