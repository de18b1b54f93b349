#include <ostream>

#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/policy_questions.hpp"
#include "broker/app/table.hpp"
#include "broker/app/text_difference.hpp"

namespace carehub::app {
namespace {

void print_changes(const CurrentPolicy& current, const std::string& text, std::ostream& out) {
  out << "what would change in policy " << current.version << ":\n";
  for (const auto& line : changed_lines(current.text, text)) out << "  " << printable(line) << '\n';
  out << std::flush;
}

/// The configuration's text decides from the next start on.
void remind(const server::HubConfig& config, const std::string& text, std::ostream& err) {
  if (config.rules.policy_text == text) return;
  err << "carehub: " << config.rules.policy_file
      << " holds another policy, which takes this one's place at the hub's next start: put this one there"
      << std::endl;
}

}  // namespace

Result<CurrentPolicy> current_policy(client::HubClient& hub) {
  wire::QueryT query;
  query.kind = wire::QueryKind::policy;
  const auto page = ask(hub, std::move(query));
  if (!page) return tl::unexpected(page.error());
  if (page->rows.size() != 1 || page->rows.front()->kind != "policy")
    return fail(ErrorKind::invalid, "the hub does not say which policy decides");
  return CurrentPolicy{page->rows.front()->policy_version, page->rows.front()->text};
}

ExitCode policy_apply(const PolicyApplyOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto text = sound_policy(options.policy, surroundings);
  if (!text) return ExitCode::wrong_input;
  auto hub = connect(*config, "carehub policy", {});
  if (!hub) return complain(surroundings, hub.error());
  const auto current = current_policy(**hub);
  if (!current) return complain(surroundings, current.error());
  if (current->text == *text) {
    surroundings.out << "nothing changes: this is policy " << current->version << ", which decides now"
                     << std::endl;
    return ExitCode::ok;
  }
  wire::ChangePolicyT change;
  change.text = *text;
  change.file = options.policy;
  change.expected_version = current->version;
  change.by = options.by;
  change.reason = options.reason;
  change.preview = true;
  if (const auto possible = ask(**hub, change); !possible) return complain(surroundings, possible.error());
  if (!options.json) print_changes(*current, *text, surroundings.out);
  remind(*config, *text, surroundings.err);
  if (options.preview) return ExitCode::ok;
  if (!options.yes) {
    if (!surroundings.somebody_to_ask) return complain(surroundings, ExitCode::usage, kNobodyToAsk);
    if (!confirmed(surroundings, "It decides from the next event on.", "apply"))
      return complain(surroundings, ExitCode::usage, "policy " + std::to_string(current->version) + " stays");
  }
  change.preview = false;
  const auto applied = ask(**hub, std::move(change));
  if (!applied) return complain(surroundings, applied.error());
  if (options.json) {
    surroundings.out << JsonLine().add("policy_version", applied->sequence).text() << std::endl;
  } else {
    surroundings.out << "policy " << applied->sequence
                     << " decides from the next event on, recorded as entry " << applied->sequence
                     << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
