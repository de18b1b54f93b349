#include <future>
#include <map>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/event_file.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/hub_options.hpp"
#include "broker/app/input_file.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"

namespace carehub::app {
namespace {

constexpr std::chrono::seconds kAnswerWait{60};
constexpr std::chrono::milliseconds kFullWait{5};

client::Publication publication_of(const FileEvent& event, const std::string& channel) {
  client::Publication publication;
  publication.channel = channel;
  publication.event = event.event;
  publication.content_hash = event.content;
  return publication;
}

struct Show {
  const PublishOptions& options;
  Surroundings& surroundings;
  const std::string& id;

  ExitCode operator()(const client::Receipt& receipt) const {
    const char* word = receipt.duplicate ? "duplicate" : "receipt";
    if (options.json) {
      JsonLine line;
      line.add("id", id).add("outcome", word).add("sequence", receipt.sequence);
      line.add("appended_at", to_rfc3339(receipt.appended_at));
      surroundings.out << line.text() << '\n';
    } else {
      surroundings.out << printable(id) << "  " << word << "  #" << receipt.sequence;
      if (!receipt.marks.empty()) surroundings.out << "  (" << marks_text(receipt.marks) << ")";
      surroundings.out << '\n';
    }
    return ExitCode::ok;
  }
  ExitCode operator()(const client::Refused& refused) const {
    if (options.json) {
      JsonLine line;
      line.add("id", id).add("outcome", "refused").add("code", refused.code).add("place", refused.place);
      surroundings.out << line.add("text", refused.text).text() << '\n';
    } else {
      surroundings.out << printable(id) << "  refused  " << printable(refused.code) << " "
                       << printable(refused.place) << ": " << printable(refused.text) << '\n';
    }
    return exit_code(refused.kind);
  }
  ExitCode operator()(const client::NotKept& not_kept) const {
    if (options.json) {
      surroundings.out
          << JsonLine().add("id", id).add("outcome", "not_kept").add("text", not_kept.text).text() << '\n';
    } else {
      surroundings.out << printable(id) << "  not kept  " << printable(not_kept.text) << '\n';
    }
    return ExitCode::ok;
  }
  ExitCode operator()(const Error& error) const {
    return complain(surroundings, Error{error.kind, "event " + printable(id) + ": " + error.text});
  }
};

}  // namespace

ExitCode publish(const PublishOptions& options, Surroundings& surroundings) {
  const auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto text = read_input(options.file, surroundings);
  if (!text) return complain(surroundings, text.error());
  const SystemClock clock;
  SystemRandom random;
  auto events = read_events(*text, {options.agency, options.channel, clock.now()}, random);
  if (!events)
    return complain(surroundings, Error{events.error().kind, options.file + ": " + events.error().text});

  // A connection speaks for one agency.
  std::map<std::string, std::unique_ptr<client::HubClient>> hubs;
  std::vector<std::pair<std::string, std::future<client::PublishResult>>> waiting;
  const auto all = events->size();
  const auto sending = progress_on(surroundings.err, "sending");
  for (const auto& event : *events) {
    sending(waiting.size(), all);
    const std::string agency = options.agency.empty() ? event.agency : options.agency;
    auto& hub = hubs[agency];
    if (hub == nullptr) {
      auto connected = connect(*config, "carehub publish", agency);
      if (!connected) return complain(surroundings, connected.error());
      hub = *std::move(connected);
    }
    auto promise = std::make_shared<std::promise<client::PublishResult>>();
    waiting.emplace_back(event.id, promise->get_future());
    for (;;) {
      auto taken =
          hub->publish(publication_of(event, options.channel),
                       [promise](client::PublishResult result) { promise->set_value(std::move(result)); });
      if (taken) break;
      if (taken.error().kind != ErrorKind::overloaded) return complain(surroundings, taken.error());
      sending(waiting.size(), all);
      if (surroundings.stopped_within(kFullWait))
        return complain(surroundings, ExitCode::unavailable, "stopped before the end");
    }
  }
  ExitCode worst = ExitCode::ok;
  const auto answered = progress_on(surroundings.err, "answered");
  for (std::size_t done = 0; done < all; ++done) {
    auto& [id, result] = waiting[done];
    answered(done, all);
    if (result.wait_for(kAnswerWait) != std::future_status::ready) {
      return complain(surroundings, ExitCode::unavailable,
                      "no receipt within a minute; publish again, the same ids are kept once");
    }
    const ExitCode code = std::visit(Show{options, surroundings, id}, result.get());
    if (code != ExitCode::ok) worst = code;
  }
  surroundings.out << std::flush;
  return worst;
}

}  // namespace carehub::app
