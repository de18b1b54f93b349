#include "broker/app/protection.hpp"

#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"

namespace carehub::app {
namespace {

/// Empty: a word is no mark.
std::vector<event::Restriction> marks_of(const std::vector<std::string>& words) {
  std::vector<event::Restriction> marks;
  for (const auto& word : words) {
    for (const auto mark : event::EnumValuesRestriction()) {
      if (mark != event::Restriction::unknown && word == event::EnumNameRestriction(mark))
        marks.push_back(mark);
    }
  }
  if (marks.size() != words.size()) marks.clear();
  return marks;
}

void print_marked(const MarkOptions& options, std::uint64_t entry, std::ostream& out) {
  if (options.json) {
    out << JsonLine().add_flag("changed", entry != 0).add("recorded_as", entry).text() << std::endl;
    return;
  }
  if (entry == 0) {
    out << "nothing changes: the child bears these marks already" << std::endl;
    return;
  }
  out << (options.lift ? "lifted" : "marked") << ", recorded as entry " << entry << ". "
      << (options.lift ? "What an event itself bears stays with that event"
                       : "All events of the child are masked from now on")
      << std::endl;
}

}  // namespace

std::vector<std::string> mark_words() {
  std::vector<std::string> words;
  for (const auto mark : event::EnumValuesRestriction()) {
    if (mark != event::Restriction::unknown) words.emplace_back(event::EnumNameRestriction(mark));
  }
  return words;
}

ExitCode mark_child(const MarkOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, ExitCode::usage, person.error().text);
  wire::MarkChildT question;
  question.restrictions = marks_of(options.marks);
  if (question.restrictions.empty())
    return complain(surroundings, ExitCode::usage, "--mark names no mark of a protected child");
  question.person = *std::move(person);
  question.lift = options.lift;
  question.by = options.by;
  question.reason = options.reason;
  auto hub = connect(*config, "carehub child", {});
  if (!hub) return complain(surroundings, hub.error());
  const auto handled = ask(**hub, std::move(question));
  if (!handled) return complain(surroundings, handled.error());
  print_marked(options, handled->sequence, surroundings.out);
  return ExitCode::ok;
}

ExitCode break_glass(const BreakGlassOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, ExitCode::usage, person.error().text);
  const auto agency = acting_agency(*config, options.role, options.agency);
  if (!agency) return complain(surroundings, agency.error());
  wire::BreakGlassT question;
  question.person = *std::move(person);
  question.role = options.role;
  question.minutes = options.minutes;
  question.by = options.by;
  question.reason = options.reason;
  auto hub = connect(*config, "carehub break-glass", *agency);
  if (!hub) return complain(surroundings, hub.error());
  const auto handled = ask(**hub, std::move(question));
  if (!handled) return complain(surroundings, handled.error());
  const auto until = to_rfc3339({handled->until});
  if (options.json) {
    surroundings.out << JsonLine().add("until", until).add("recorded_as", handled->sequence).text();
  } else {
    surroundings.out << "the glass is broken for role " << options.role << " of " << *agency << " until "
                     << until << ", recorded as entry " << handled->sequence << "; the operators are told";
  }
  surroundings.out << std::endl;
  return ExitCode::ok;
}

}  // namespace carehub::app
