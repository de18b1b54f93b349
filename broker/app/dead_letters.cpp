#include <future>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/table.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {
namespace {

constexpr std::chrono::seconds kAnswerWait{60};

ExitCode list(const DeadLetterOptions& options, client::HubClient& hub, Surroundings& surroundings) {
  std::vector<std::vector<std::string>> cells;
  wire::QueryT query;
  query.kind = wire::QueryKind::dead_letters;
  query.subscription = options.subscription;
  query.by = options.by.empty() ? "operator" : options.by;
  query.reason = options.reason.empty() ? "list of dead letters" : options.reason;
  query.rows_max = limits::kQueryRowsMax;
  for (;;) {
    auto page = ask(hub, query);
    if (!page) return complain(surroundings, page.error());
    for (const auto& row : page->rows) {
      const std::string at = to_rfc3339(Timestamp{row->appended_at});
      if (options.json) {
        surroundings.out << JsonLine()
                                .add("sequence", row->sequence)
                                .add("subscription", row->subscription)
                                .add("type", event_type_name(row->type))
                                .add("appended_at", at)
                                .add("attempts", std::uint64_t{row->attempts})
                                .add("code", row->text)
                                .text()
                         << '\n';
      } else {
        cells.push_back({row->subscription, std::to_string(row->sequence), event_type_name(row->type), at,
                         std::to_string(row->attempts), printable(row->text)});
      }
    }
    if (!page->more || page->next_after <= query.after) break;
    query.after = page->next_after;
  }
  print_table(surroundings.out, {"subscription", "sequence", "type", "since", "attempts", "why"}, cells);
  if (!options.json && cells.empty()) surroundings.out << "no dead letters\n";
  surroundings.out << std::flush;
  return ExitCode::ok;
}

}  // namespace

ExitCode dead_letters(const DeadLetterOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto hub = connect(*config, "carehub dead-letters", {});
  if (!hub) return complain(surroundings, hub.error());
  if (options.action == DeadLetterOptions::Action::list) return list(options, **hub, surroundings);

  wire::HandleDeadLetterT question;
  question.action = options.action == DeadLetterOptions::Action::discard ? wire::DeadLetterAction::discard
                                                                         : wire::DeadLetterAction::send_again;
  question.subscription = options.subscription;
  question.sequence = options.sequence;
  question.by = options.by;
  question.reason = options.reason;
  auto answered = std::make_shared<std::promise<Result<client::Reply>>>();
  auto future = answered->get_future();
  auto asked = (*hub)->ask(std::move(question), [answered](Result<client::Reply> reply) {
    answered->set_value(std::move(reply));
  });
  if (!asked) return complain(surroundings, asked.error());
  if (future.wait_for(kAnswerWait) != std::future_status::ready) {
    return complain(surroundings, ExitCode::unavailable,
                    "the hub did not answer within a minute; list the dead letters to see");
  }
  auto reply = future.get();
  if (!reply) return complain(surroundings, reply.error());
  const auto* handled = std::get_if<wire::HandledT>(&*reply);
  if (handled == nullptr)
    return complain(surroundings, ExitCode::wrong_input, "the hub answered with another frame than Handled");
  if (handled->error != wire::ErrorKind::unknown) {
    return complain(surroundings, Error{error_kind(handled->error), handled->text});
  }
  if (options.json) {
    surroundings.out
        << JsonLine().add("sequence", options.sequence).add("recorded_as", handled->sequence).text()
        << std::endl;
  } else {
    surroundings.out << "done, recorded as entry " << handled->sequence << std::endl;
  }
  return ExitCode::ok;
}

}  // namespace carehub::app
