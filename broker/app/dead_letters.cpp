#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/event_file.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/input_file.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"
#include "broker/base/event_fields.hpp"

namespace carehub::app {
namespace {

/// Whether the conditions of the command line let a dead letter through.
bool wanted(const DeadLetterOptions& options, std::int64_t since_us, const wire::RowT& row) {
  return (options.sequence == 0 || row.sequence == options.sequence) &&
         (options.type.empty() || event_type_name(row.type) == options.type) &&
         (options.code.empty() || row.text == options.code) && row.appended_at >= since_us;
}

Result<std::vector<wire::RowT>> find(const DeadLetterOptions& options, client::HubClient& hub) {
  std::int64_t since_us = 0;
  if (!options.since.empty()) {
    const auto since = parse_time(options.since);
    if (!since) return tl::unexpected(since.error());
    since_us = since->utc_us();
  }
  std::vector<wire::RowT> found;
  wire::QueryT query;
  query.kind = wire::QueryKind::dead_letters;
  query.subscription = options.subscription;
  query.by = options.by.empty() ? "operator" : options.by;
  query.reason = options.reason.empty() ? "list of dead letters" : options.reason;
  const auto rows = each_row(hub, std::move(query), [&](wire::RowT& row) {
    if (wanted(options, since_us, row)) found.push_back(std::move(row));
  });
  if (!rows) return tl::unexpected(rows.error());
  return found;
}

ExitCode list(const DeadLetterOptions& options, client::HubClient& hub, Surroundings& surroundings) {
  const auto found = find(options, hub);
  if (!found) return complain(surroundings, found.error());
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *found) {
    const std::string at = to_rfc3339(Timestamp{row.appended_at});
    if (options.json) {
      surroundings.out << JsonLine()
                              .add("sequence", row.sequence)
                              .add("subscription", row.subscription)
                              .add("type", event_type_name(row.type))
                              .add("appended_at", at)
                              .add("attempts", std::uint64_t{row.attempts})
                              .add("code", row.text)
                              .text()
                       << '\n';
    } else {
      cells.push_back({row.subscription, std::to_string(row.sequence), event_type_name(row.type), at,
                       std::to_string(row.attempts), printable(row.text)});
    }
  }
  print_table(surroundings.out, {"subscription", "sequence", "type", "since", "attempts", "why"}, cells);
  if (!options.json && cells.empty()) surroundings.out << "no dead letters\n";
  surroundings.out << std::flush;
  return ExitCode::ok;
}

/// Sends one again, or discards it. The answer has the entry that records it.
Result<wire::HandledT> handle(const DeadLetterOptions& options, const std::string& subscription,
                              Sequence sequence, client::HubClient& hub) {
  wire::HandleDeadLetterT question;
  question.action = options.action == DeadLetterOptions::Action::discard ? wire::DeadLetterAction::discard
                                                                         : wire::DeadLetterAction::send_again;
  question.subscription = subscription;
  question.sequence = sequence;
  question.by = options.by;
  question.reason = options.reason;
  return ask(hub, std::move(question));
}

void say_done(const DeadLetterOptions& options, Sequence sequence, const wire::HandledT& handled,
              Surroundings& surroundings) {
  if (options.json) {
    JsonLine line;
    line.add("sequence", sequence).add("recorded_as", handled.sequence);
    if (!handled.text.empty()) line.add("text", handled.text);
    surroundings.out << line.text() << std::endl;
  } else {
    surroundings.out << "done, recorded as entry " << handled.sequence
                     << (handled.text.empty() ? "" : ": " + printable(handled.text)) << std::endl;
  }
}

/// Errors name the file, and the line or the field.
Result<FileEvent> read_mended(const DeadLetterOptions& options, Surroundings& surroundings) {
  auto text = read_input(options.event, surroundings);
  if (!text) return tl::unexpected(text.error());
  const SystemClock clock;
  SystemRandom random;
  auto event = read_one_event(*text, {{}, {}, clock.now()}, random);
  if (!event) return fail(event.error().kind, options.event + ": " + event.error().text);
  return event;
}

/// What the file says goes to the one subscription in the dead letter's place. The hub checks it as what is
/// published.
ExitCode mend(const DeadLetterOptions& options, FileEvent event, client::HubClient& hub,
              Surroundings& surroundings) {
  wire::HandleDeadLetterT question;
  question.action = wire::DeadLetterAction::mend;
  question.subscription = options.subscription;
  question.sequence = options.sequence;
  question.by = options.by;
  question.reason = options.reason;
  question.event = std::move(event.event);
  const auto handled = ask(hub, std::move(question));
  if (!handled) {
    const auto& error = handled.error();
    const bool of_the_file = error.kind == ErrorKind::invalid;
    return complain(surroundings, {error.kind, (of_the_file ? options.event + ": " : "") + error.text});
  }
  say_done(options, options.sequence, *handled, surroundings);
  return ExitCode::ok;
}

/// Which dead letter was not handled.
Error of_entry(Sequence sequence, const std::string& subscription, const Error& error) {
  return {error.kind, "entry " + std::to_string(sequence) + ", dead letter of `" + printable(subscription) +
                          "`: " + error.text};
}

/// One by one, each on record; the first that cannot be handled ends it.
ExitCode handle_all(const DeadLetterOptions& options, client::HubClient& hub, Surroundings& surroundings) {
  const auto found = find(options, hub);
  if (!found) return complain(surroundings, found.error());
  std::size_t done = 0;
  for (const auto& row : *found) {
    const auto recorded = handle(options, row.subscription, row.sequence, hub);
    if (!recorded) {
      auto error = of_entry(row.sequence, row.subscription, recorded.error());
      error.text += ". " + std::to_string(done) + " of " + std::to_string(found->size()) +
                    " are done: see to this one, then the same command takes the others";
      return complain(surroundings, error);
    }
    ++done;
    say_done(options, row.sequence, *recorded, surroundings);
  }
  surroundings.err << done << " dead letters" << std::endl;
  return ExitCode::ok;
}

/// The event as the asker's role may see it; the asking is on record.
ExitCode show(const DeadLetterOptions& options, client::HubClient& hub, Surroundings& surroundings) {
  const auto found = find(options, hub);
  if (!found) return complain(surroundings, found.error());
  if (found->empty())
    return complain(surroundings, ExitCode::not_found, "this subscription has no dead letter of this number");
  wire::QueryT query;
  query.kind = wire::QueryKind::timeline;
  query.person = "sequence:" + std::to_string(options.sequence);
  query.after = options.sequence;
  query.rows_max = 1;
  query.role = options.role;
  query.agency = found->front().agency;  // whose residents, pupils or patients they are decides, too
  query.by = options.by;
  query.reason = options.reason;
  const auto page = ask(hub, query);
  if (!page) return complain(surroundings, page.error());
  for (const auto& row : page->rows) {
    if (row->sequence == options.sequence && row->kind == "erased")
      return complain(surroundings, ExitCode::not_found, row->text);
    if (row->sequence != options.sequence || row->kind != "event") continue;
    if (options.json) {
      JsonLine line;
      line.add("sequence", row->sequence);
      add_event(line, row->view);
      surroundings.out << line.text() << '\n';
    } else {
      print_fields(surroundings.out, row->view);
    }
    surroundings.out << std::flush;
    return ExitCode::ok;
  }
  return complain(surroundings, ExitCode::denied, "this role may not see this event");
}

}  // namespace

ExitCode dead_letters(const DeadLetterOptions& options, Surroundings& surroundings) {
  if (!options.type.empty()) {  // a word that no event has would match nothing, and look like done
    if (const auto known = filter_of({{"types", options.type}}); !known)
      return complain(surroundings, ExitCode::usage, "--type: " + known.error().text);
  }
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  using Action = DeadLetterOptions::Action;
  std::optional<FileEvent> mended;
  if (options.action == Action::mend) {
    auto read = read_mended(options, surroundings);
    if (!read) return complain(surroundings, read.error());
    mended = *std::move(read);
  }
  auto hub = connect(*config, "carehub dead-letters", {});
  if (!hub) return complain(surroundings, hub.error());
  if (options.action == Action::list) return list(options, **hub, surroundings);
  if (options.action == Action::show) return show(options, **hub, surroundings);
  if (mended) return mend(options, *std::move(mended), **hub, surroundings);
  if (options.sequence == 0) return handle_all(options, **hub, surroundings);
  const auto recorded = handle(options, options.subscription, options.sequence, **hub);
  if (!recorded) {
    auto error = of_entry(options.sequence, options.subscription, recorded.error());
    if (error.kind == ErrorKind::not_found)
      error.text += ". `carehub dead-letters hub.toml` lists those that are there";
    return complain(surroundings, error);
  }
  say_done(options, options.sequence, *recorded, surroundings);
  return ExitCode::ok;
}

}  // namespace carehub::app
