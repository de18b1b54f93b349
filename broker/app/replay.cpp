#include <chrono>
#include <map>
#include <memory>
#include <ostream>

#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/moment.hpp"
#include "broker/app/replay_file.hpp"
#include "broker/app/replay_queue.hpp"
#include "broker/app/show_event.hpp"
#include "broker/app/table.hpp"
#include "broker/base/event_fields.hpp"

/// replay: history once more, to standard output, into a file, or into a subscription; or what that would
/// show.
namespace carehub::app {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// Where the deliveries of one replay go, and what has been counted of it.
class ReplayReader {
 public:
  ReplayReader(const ReplayOptions& options, Surroundings& surroundings, ReplayFile* file, Sequence head)
      : options_(options), surroundings_(surroundings), file_(file), head_(head) {}

  /// True: it was the last part.
  Result<bool> take(const wire::ReplayedT& frame) {
    if (frame.error != wire::ErrorKind::unknown) return fail(error_kind(frame.error), frame.text);
    if (!frame.text.empty()) surroundings_.err << "carehub: left out: " << printable(frame.text) << std::endl;
    if (auto written = write(frame); !written) return tl::unexpected(written.error());
    matched_ += frame.matched;
    withheld_ += frame.withheld;
    for (const auto& count : frame.counts) {
      auto& [matched, withheld] = counts_[{count->subscription, count->type}];
      matched += count->matched;
      withheld += count->withheld;
    }
    next_ = std::max(next_, frame.next);
    return frame.last;
  }

  /// Once a second, for what takes longer.
  void show_progress() {
    const auto now = SteadyClock::now();
    if (now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    if (next_ < 2) return;
    surroundings_.err << "looked at entries up to " << next_ - 1;
    if (head_ != 0) surroundings_.err << " of " << head_;
    surroundings_.err << ", " << (options_.preview ? "would show " : "shown ") << matched_ << std::endl;
  }

  void show_counts() const;
  /// The last entry that was looked at; 0: none.
  Sequence last() const { return next_ == 0 ? 0 : next_ - 1; }
  /// How to go on with what was stopped.
  std::string how_to_resume() const {
    if (options_.preview) return {};
    if (file_ != nullptr) return "; the same command with --resume goes on";
    return "; --first " + std::to_string(std::max<Sequence>(next_, 1)) + " goes on";
  }

 private:
  /// A hub tells operators alone how much is withheld; who looks as a role asks as its agency.
  bool tells_withheld() const { return !options_.into.empty(); }
  Result<void> write(const wire::ReplayedT& frame) {
    if (file_ != nullptr) {
      std::string lines;
      for (const auto& delivery : frame.deliveries) lines += delivery_json({}, *delivery) + '\n';
      return file_->append(lines);
    }
    for (const auto& delivery : frame.deliveries) {
      if (options_.json) {
        surroundings_.out << delivery_json({}, *delivery) << '\n';
      } else {
        print_delivery(surroundings_.out, *delivery);
      }
    }
    if (!surroundings_.out.flush()) return fail(ErrorKind::unavailable, "nobody reads the output any more");
    return {};
  }

  const ReplayOptions& options_;
  Surroundings& surroundings_;
  ReplayFile* file_;  // nullptr: standard output
  Sequence head_;
  Sequence next_ = 0;
  std::uint64_t matched_ = 0;
  std::uint64_t withheld_ = 0;
  std::map<std::pair<std::string, event::EventType>, std::pair<std::uint64_t, std::uint64_t>> counts_;
  SteadyClock::time_point told_ = SteadyClock::now();
};

void ReplayReader::show_counts() const {
  if (options_.preview && options_.json) {
    for (const auto& [who_and_what, count] : counts_) {
      JsonLine line;
      if (!who_and_what.first.empty()) line.add("subscription", who_and_what.first);
      line.add("type", event_type_name(who_and_what.second)).add("matched", count.first);
      if (tells_withheld()) line.add("withheld", count.second);
      surroundings_.out << line.text() << '\n';
    }
    JsonLine line;
    line.add("matched", matched_);
    if (tells_withheld()) line.add("withheld", withheld_);
    surroundings_.out << line.text() << std::endl;
    return;
  }
  if (options_.preview) {
    std::vector<std::vector<std::string>> cells;
    for (const auto& [who_and_what, count] : counts_) {
      const auto& [subscription, type] = who_and_what;
      cells.push_back({subscription.empty() ? "(" + options_.role + ")" : subscription,
                       std::string(event_type_name(type)), std::to_string(count.first),
                       tells_withheld() ? std::to_string(count.second) : "not told"});
    }
    print_table(surroundings_.out, {"subscription", "type", "would show", "withhold"}, cells);
  }
  auto& summary = options_.preview ? surroundings_.out : surroundings_.err;
  summary << (options_.preview ? "would show " : "shown ") << matched_;
  if (tells_withheld()) summary << ", withhold " << withheld_;
  summary << std::endl;
}

Result<wire::ReplayT> question_of(const ReplayOptions& options, const std::string& person) {
  auto filter = filter_of(options.filter);
  if (!filter) return tl::unexpected(filter.error());
  wire::ReplayT question;
  question.filter = std::make_unique<ledger::FilterT>(*std::move(filter));
  question.role = options.role;
  question.person = person;
  question.first = options.first;
  question.last = options.last;
  if (!options.since.empty()) {
    auto since = moment(options.since, "--since", false);
    if (!since) return tl::unexpected(since.error());
    question.first_at = *since;
  }
  if (!options.until.empty()) {
    auto until = moment(options.until, "--until", true);
    if (!until) return tl::unexpected(until.error());
    question.last_at = *until;
  }
  question.by = options.by;
  question.reason = options.reason;
  question.preview = options.preview;
  question.into = options.into;
  question.rate_per_minute = options.rate;
  question.raise_notices = options.raise_notices;
  return question;
}

/// Where the ledger ends now, for the sake of progress; 0 where the hub does not say.
Sequence head_of(client::HubClient& hub) {
  wire::QueryT query;
  query.kind = wire::QueryKind::status;
  const auto page = ask(hub, std::move(query));
  if (!page) return 0;
  for (const auto& row : page->rows) {
    if (row->kind == "head") return row->sequence;
  }
  return 0;
}

Result<void> read_replay(ReplayReader& reader, ReplayQueue& queue, Surroundings& surroundings) {
  constexpr std::chrono::milliseconds kTurn{200};
  constexpr int kSilentTurnsMax = 300;
  for (int silent = 0; silent < kSilentTurnsMax;) {
    if (surroundings.stopped_within(std::chrono::milliseconds(0)))
      return fail(ErrorKind::unavailable, "stopped before the end" + reader.how_to_resume());
    reader.show_progress();
    auto reply = queue.pop(kTurn);
    if (!reply) {
      ++silent;
      continue;
    }
    silent = 0;
    if (!*reply) return fail((*reply).error().kind, (*reply).error().text + reader.how_to_resume());
    const auto* frame = std::get_if<wire::ReplayedT>(&**reply);
    if (frame == nullptr)
      return fail(ErrorKind::invalid, "the hub answered with another frame than Replayed");
    auto last = reader.take(*frame);
    if (!last) return tl::unexpected(last.error());
    if (*last) return {};
  }
  return fail(ErrorKind::unavailable, "the hub stopped answering" + reader.how_to_resume());
}

ExitCode say_started(const ReplayOptions& options, ReplayQueue& queue, Surroundings& surroundings) {
  const auto reply = queue.pop(std::chrono::seconds(60));
  if (!reply) {
    return complain(surroundings, ExitCode::unavailable,
                    "the hub did not answer within a minute; list the subscriptions to see");
  }
  if (!*reply) return complain(surroundings, (*reply).error());
  const auto* handled = std::get_if<wire::HandledT>(&**reply);
  if (handled == nullptr)
    return complain(surroundings, ExitCode::wrong_input, "the hub answered with another frame than Handled");
  if (handled->error != wire::ErrorKind::unknown)
    return complain(surroundings, Error{error_kind(handled->error), handled->text});
  if (options.json) {
    surroundings.out << JsonLine()
                            .add("subscription", handled->subscription)
                            .add("replay_of", options.into)
                            .add("recorded_as", handled->sequence)
                            .text()
                     << std::endl;
    return ExitCode::ok;
  }
  const auto command = "carehub subscriptions " + options.config.string() + " ";
  surroundings.out << "started as " << handled->subscription << ", recorded as entry " << handled->sequence
                   << "\nwatch it:  " << command << "list\nhold it:   " << command << "pause "
                   << handled->subscription << " --by ... --reason ...\nstop it:   " << command << "remove "
                   << handled->subscription << " --by ... --reason ..." << std::endl;
  return ExitCode::ok;
}

Result<std::shared_ptr<ReplayQueue>> begin(client::HubClient& hub, wire::ReplayT question) {
  auto queue = std::make_shared<ReplayQueue>();
  auto sent =
      hub.ask(std::move(question), [queue](Result<client::Reply> reply) { queue->push(std::move(reply)); });
  if (!sent) return tl::unexpected(sent.error());
  return queue;
}

/// Shows what would go, and asks; how the command ends where that is not to be. What comes later has not been
/// agreed to, so the question ends there.
std::optional<ExitCode> ended_by_asking(const ReplayOptions& options, const std::string& where,
                                        wire::ReplayT& question, client::HubClient& hub,
                                        Surroundings& surroundings) {
  ReplayOptions preview = options;
  preview.preview = true;
  preview.json = false;
  question.preview = true;
  const auto counting = begin(hub, question);
  if (!counting) return complain(surroundings, counting.error());
  ReplayReader reader(preview, surroundings, nullptr, options.last);
  if (auto read = read_replay(reader, **counting, surroundings); !read)
    return complain(surroundings, read.error());
  reader.show_counts();
  if (!confirmed(surroundings, where, "replay"))
    return complain(surroundings, ExitCode::usage, "nothing is replayed");
  question.preview = false;
  if (question.last == 0 && question.last_at == 0) question.last = reader.last();
  return std::nullopt;
}

/// A preview first, and a person's yes, unless they gave it with the command.
ExitCode replay_into(const ReplayOptions& options, wire::ReplayT question, client::HubClient& hub,
                     Surroundings& surroundings) {
  if (!options.yes) {
    const auto where = "They go to the receiver of " + options.into + ", marked as a replay.";
    if (const auto ended = ended_by_asking(options, where, question, hub, surroundings)) return *ended;
  }
  const auto started = begin(hub, std::move(question));
  if (!started) return complain(surroundings, started.error());
  return say_started(options, **started, surroundings);
}

/// To standard output, into a file, or only counted.
ExitCode replay_here(const ReplayOptions& options, wire::ReplayT question, client::HubClient& hub,
                     Surroundings& surroundings) {
  std::optional<ReplayFile> file;
  if (!options.file.empty() && !options.preview) {
    auto opened = ReplayFile::open(options.file, options.resume);
    if (!opened) return complain(surroundings, opened.error());
    file.emplace(*std::move(opened));
    question.first = std::max(question.first, file->last_sequence() + 1);
  }
  const auto head = head_of(hub);
  const auto asked = begin(hub, std::move(question));
  if (!asked) return complain(surroundings, asked.error());
  ReplayReader reader(options, surroundings, file ? &*file : nullptr,
                      options.last == 0 ? head : options.last);
  const auto read = read_replay(reader, **asked, surroundings);
  surroundings.out << std::flush;
  if (file) {
    if (auto finished = file->finish(); !finished) return complain(surroundings, finished.error());
  }
  if (!read) return complain(surroundings, read.error());
  reader.show_counts();
  return ExitCode::ok;
}

/// A file that is there is refused, or gone on with, without another word.
bool asks_before_file(const ReplayOptions& options) {
  std::error_code error;
  return !options.file.empty() && !options.preview && !options.yes && !options.resume &&
         !std::filesystem::exists(options.file, error);
}

}  // namespace

ExitCode replay(const ReplayOptions& options, Surroundings& surroundings) {
  const bool into = !options.into.empty() && !options.preview;
  const bool may_ask =
      surroundings.somebody_to_ask && options.person.text != "-" && options.person.file != "-";
  if (into && !options.yes && !may_ask) return complain(surroundings, ExitCode::usage, kNobodyToAsk);
  auto config = load_config(options.config, surroundings);
  if (!config) return ExitCode::wrong_input;
  auto person = read_person(options.person, surroundings);
  if (!person) return complain(surroundings, person.error());
  auto question = question_of(options, *person);
  if (!question) return complain(surroundings, ExitCode::usage, question.error().text);
  std::string agency;
  if (options.into.empty()) {
    auto acting = acting_agency(*config, options.role, options.agency);
    if (!acting) return complain(surroundings, acting.error());
    agency = *std::move(acting);
  }
  auto hub = connect(*config, "carehub replay", agency);
  if (!hub) return complain(surroundings, hub.error());
  if (into) return replay_into(options, *std::move(question), **hub, surroundings);
  if (may_ask && asks_before_file(options)) {
    const auto where = "They go into " + options.file.string() + ", in clear.";
    if (const auto ended = ended_by_asking(options, where, *question, **hub, surroundings)) return *ended;
  }
  return replay_here(options, *std::move(question), **hub, surroundings);
}

}  // namespace carehub::app
