#include <charconv>
#include <ostream>
#include <set>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/table.hpp"
#include "broker/base/config_reader.hpp"
#include "broker/base/event_fields.hpp"
#include "broker/core/rules.hpp"

namespace carehub::app {
namespace {

std::string time_or_nothing(std::int64_t us) { return us == 0 ? std::string() : to_rfc3339(Timestamp{us}); }

/// Channels of this configuration that only write down what they would have sent: the hub treats them like
/// any other.
std::set<std::string> shadows(const std::filesystem::path& config) {
  std::set<std::string> names;
  auto document = ConfigDocument::load(config);
  auto root = document.root();
  for (ConfigTable& channel : root.tables("channel")) {
    if (channel.has("shadow")) names.insert(channel.optional_text("name").value_or(""));
  }
  return names;
}

/// What a replay goes into; empty for everything else.
std::string replay_of(const std::string& name) {
  return core::is_replay_name(name) ? name.substr(0, name.find('/')) : std::string();
}

std::string json_of(const wire::RowT& row, bool shadow) {
  JsonLine line;
  line.add("subscription", row.subscription)
      .add("agency", row.agency)
      .add("role", row.role)
      .add("state", row.state)
      .add("pending", row.pending)
      .add("dead_letters", row.dead_letters);
  if (row.appended_at != 0) line.add("oldest", to_rfc3339(Timestamp{row.appended_at}));
  if (row.since != 0) line.add("paused_since", to_rfc3339(Timestamp{row.since}));
  if (const auto into = replay_of(row.subscription); !into.empty())
    line.add("replay_of", into).add("progress", row.text);
  line.add_flag("shadow", shadow);
  return line.text();
}

ExitCode list(const SubscriptionsOptions& options, client::HubClient& hub, Surroundings& surroundings) {
  wire::QueryT query;
  query.kind = wire::QueryKind::subscriptions;
  const auto shadow_names = shadows(options.config);
  std::vector<std::vector<std::string>> cells;
  const auto rows = each_row(hub, std::move(query), [&](const wire::RowT& row) {
    const bool shadow = shadow_names.count(row.subscription) > 0;
    if (options.json) surroundings.out << json_of(row, shadow) << '\n';
    const auto state = (shadow ? "shadow, " : "") + row.state +
                       (row.since == 0 ? "" : " since " + time_or_nothing(row.since)) +
                       (replay_of(row.subscription).empty() ? "" : ", " + row.text);
    cells.push_back({row.subscription, row.agency, row.role, state, std::to_string(row.pending),
                     time_or_nothing(row.appended_at), std::to_string(row.dead_letters)});
  });
  if (!rows) return complain(surroundings, rows.error());
  if (!options.json) {
    print_table(surroundings.out,
                {"subscription", "agency", "role", "state", "pending", "oldest", "dead letters"}, cells);
    if (cells.empty()) surroundings.out << "no subscriptions\n";
  }
  surroundings.out << std::flush;
  return ExitCode::ok;
}

/// Where a cursor is to stand, as it was typed.
Result<void> read_position(const std::string& to, wire::HandleSubscriptionT& question) {
  if (to == "beginning" || to == "now") {
    question.position = to == "now" ? wire::Position::now : wire::Position::beginning;
    return {};
  }
  const auto* end = to.data() + to.size();
  const auto [stop, error] = std::from_chars(to.data(), end, question.sequence);
  // Four digits alone are an entry's number, not a year.
  if (error == std::errc() && stop == end) {
    question.position = wire::Position::sequence;
    return {};
  }
  const auto time = parse_time(to);
  if (!time) {
    return fail(ErrorKind::invalid,
                "--to is beginning, now, an entry's number, or a time such as 2026-01-31T00:00:00Z");
  }
  question.position = wire::Position::time;
  question.at = time->utc_us();
  return {};
}

wire::SubscriptionAction action_of(SubscriptionsOptions::Action action) {
  using Action = SubscriptionsOptions::Action;
  switch (action) {
    case Action::pause: return wire::SubscriptionAction::pause;
    case Action::resume: return wire::SubscriptionAction::resume;
    case Action::remove: return wire::SubscriptionAction::remove;
    case Action::reset: return wire::SubscriptionAction::reset;
    case Action::list: break;
  }
  return wire::SubscriptionAction::unknown;
}

}  // namespace

ExitCode subscriptions(const SubscriptionsOptions& options, Surroundings& surroundings) {
  wire::HandleSubscriptionT question;
  question.action = action_of(options.action);
  question.subscription = options.name;
  question.by = options.by;
  question.reason = options.reason;
  if (options.action == SubscriptionsOptions::Action::reset) {
    if (auto read = read_position(options.to, question); !read)
      return complain(surroundings, ExitCode::usage, read.error().text);
  }
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto hub = connect(*config, "carehub subscriptions", {});
  if (!hub) return complain(surroundings, hub.error());
  if (options.action == SubscriptionsOptions::Action::list) return list(options, **hub, surroundings);

  const auto handled = ask(**hub, std::move(question));
  if (!handled) return complain(surroundings, handled.error());
  if (options.json) {
    surroundings.out
        << JsonLine().add("subscription", options.name).add("recorded_as", handled->sequence).text()
        << std::endl;
  } else {
    surroundings.out << "done, recorded as entry " << handled->sequence << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
