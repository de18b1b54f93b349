#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <ostream>

#include "broker/app/bench_directory.hpp"
#include "broker/app/bench_field.hpp"
#include "broker/app/commands.hpp"
#include "broker/app/hub_connection.hpp"
#include "broker/app/json_line.hpp"
#include "broker/app/table.hpp"
#include "broker/server/log.hpp"

/// bench: how fast this hub is on this machine.
namespace carehub::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTurn{100};
constexpr milliseconds kQuiet{2'000};  // an idle hub is one that has had time to come to rest
constexpr int kTimelines = 200;
constexpr std::uint32_t kPageRows = 100;

struct Row {
  std::string name, json, text;
};
using Rows = std::vector<Row>;

std::string decimal(double number) { return fmt::format("{:.1f}", number); }

void add(Rows& rows, const std::string& name, std::uint64_t number, const std::string& unit = {}) {
  rows.push_back({name, std::to_string(number), std::to_string(number) + (unit.empty() ? "" : " " + unit)});
}
void add(Rows& rows, const std::string& name, double number, const std::string& unit = {}) {
  rows.push_back({name, decimal(number), decimal(number) + (unit.empty() ? "" : " " + unit)});
}
void add(Rows& rows, const std::string& name, const Latencies& latencies) {
  rows.push_back({name, latencies.json(),
                  fmt::format("p50 {} us, p99 {} us, at most {} us", latencies.quantile_us(0.5),
                              latencies.quantile_us(0.99), latencies.quantile_us(1))});
}

void print(const std::string& work, const Rows& rows, bool json, Surroundings& surroundings) {
  if (json) {
    JsonLine line;
    line.add("work", work);
    for (const auto& row : rows) line.add_json(row.name, row.json);
    surroundings.out << line.text() << std::endl;
    return;
  }
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) cells.push_back({row.name, row.text});
  print_table(surroundings.out, {work, ""}, cells);
  surroundings.out << std::flush;
}

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

BenchEvents events_of(const BenchOptions& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return BenchEvents(
      {options.children, options.subscribers, options.size, options.seed, static_cast<std::uint64_t>(now)});
}

void add_setting(Rows& rows, const BenchOptions& options) {
  const char* transport = options.curve ? "tcp, CURVE" : "local socket";
  rows.push_back({"transport", fmt::format("\"{}\"", transport), transport});
  add(rows, "window", std::uint64_t{options.window});
  add(rows, "subscribers", std::uint64_t{options.subscribers});
  add(rows, "children", std::uint64_t{options.children});
}

void add_outcome(Rows& rows, const BenchOutcome& outcome) {
  const auto events = static_cast<double>(std::max<std::uint64_t>(1, outcome.events));
  add(rows, "events", outcome.events);
  add(rows, "published_per_second", per_second(outcome.events, outcome.receipts_seconds));
  add(rows, "delivered_per_second", per_second(outcome.events, outcome.deliveries_seconds));
  add(rows, "deliveries", outcome.deliveries);
  add(rows, "repeated", outcome.repeated);
  add(rows, "receipt_us", outcome.receipt);
  add(rows, "delivery_us", outcome.delivery);
  add(rows, "entries_per_batch",
      static_cast<double>(outcome.entries) /
          static_cast<double>(std::max<std::uint64_t>(1, outcome.batches)));
  add(rows, "sync_us_under_p50", static_cast<std::uint64_t>(outcome.sync.quantile_us(0.5)));
  add(rows, "sync_us_under_p99", static_cast<std::uint64_t>(outcome.sync.quantile_us(0.99)));
  double all = 0;
  JsonLine threads;
  std::string text;
  for (const auto& [name, seconds] : outcome.processor_seconds) {
    const double us = seconds * 1e6 / events;
    all += us;
    if (us < 0.05) continue;
    threads.add_json(name, decimal(us));
    text += fmt::format("{}{} {:.1f}", text.empty() ? "" : ", ", name, us);
  }
  add(rows, "processor_us_per_event", all);
  rows.push_back({"processor_us_by_thread", threads.text(), text});
  add(rows, "disk_bytes_per_event", static_cast<double>(outcome.disk_bytes) / events);
}

Result<Rows> measure_publish(const BenchOptions& options, const BenchDirectory& directory,
                             Surroundings& surroundings) {
  auto hub = BenchHub::start({directory.path(), options.subscribers, options.curve});
  if (!hub) return tl::unexpected(hub.error());
  auto field = BenchField::open(**hub, options.subscribers);
  if (!field) return tl::unexpected(field.error());
  BenchEvents events = events_of(options);
  if (options.preload != 0) {
    surroundings.err << "preloading " << options.preload << " events" << std::endl;
    const BenchLoad fill{options.preload, limits::kPublishItemsMax, 0};
    if (auto filled = (*field)->run(events, fill, surroundings); !filled)
      return tl::unexpected(filled.error());
  }
  auto outcome = (*field)->run(events, {options.events, options.window, options.rate}, surroundings);
  if (!outcome) return tl::unexpected(outcome.error());
  Rows rows;
  add_setting(rows, options);
  add(rows, "event_bytes", std::uint64_t{events.event_bytes()});
  add(rows, "preloaded", options.preload);
  add_outcome(rows, *outcome);
  return rows;
}

/// The process that fills the ledger and is then killed, so that the hub after it starts as after a fault.
class DoomedFill {
 public:
  /// To be called before this process has a second thread.
  static Result<std::unique_ptr<DoomedFill>> start(const BenchOptions& options,
                                                   const BenchDirectory& directory,
                                                   Surroundings& surroundings) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return fail(ErrorKind::unavailable, "no pipe: too many open files");
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) return fail(ErrorKind::unavailable, "no second process can be started");
    if (process == 0) {
      ::close(ends[0]);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) fill(options, directory, surroundings, ends[1]);
      ::_exit(1);
    }
    ::close(ends[1]);
    return std::unique_ptr<DoomedFill>(new DoomedFill(process, ends[0]));
  }
  ~DoomedFill() {
    kill();
    ::close(from_);
  }
  DoomedFill(const DoomedFill&) = delete;
  DoomedFill& operator=(const DoomedFill&) = delete;

  /// Waits until all is filled, then kills it on the spot; events a second.
  Result<double> finish(Surroundings& surroundings) {
    double rate = 0;
    while (!ready()) {
      if (surroundings.stopped_within(kTurn)) return fail(ErrorKind::unavailable, "stopped before the end");
    }
    if (::read(from_, &rate, sizeof rate) != static_cast<ssize_t>(sizeof rate))
      return fail(ErrorKind::unavailable, "the ledger was not filled; the reason is above");
    kill();
    return rate;
  }

 private:
  DoomedFill(pid_t process, int from) : process_(process), from_(from) {}

  static void fill(const BenchOptions& options, const BenchDirectory& directory, Surroundings& surroundings,
                   int to) {
    BenchOptions load = options;
    load.curve = false;
    auto hub = BenchHub::start({directory.path(), load.subscribers, false});
    auto field = hub ? BenchField::open(**hub, load.subscribers)
                     : Result<std::unique_ptr<BenchField>>(tl::unexpected(hub.error()));
    BenchEvents events = events_of(load);
    auto outcome = field ? (*field)->run(events, {load.events, load.window, load.rate}, surroundings)
                         : Result<BenchOutcome>(tl::unexpected(field.error()));
    if (!outcome) {
      complain(surroundings, outcome.error());
      return;
    }
    const double rate = per_second(outcome->events, outcome->deliveries_seconds);
    if (::write(to, &rate, sizeof rate) == static_cast<ssize_t>(sizeof rate)) ::pause();
  }
  bool ready() const {
    pollfd wait{from_, POLLIN, 0};
    return ::poll(&wait, 1, 0) != 0;
  }
  void kill() {
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  pid_t process_;
  int from_;
};

Result<Latencies> measure_timelines(client::HubClient& hub, const std::vector<std::string>& persons,
                                    std::uint64_t& rows) {
  Latencies latencies;
  for (const std::string& person : persons) {
    wire::QueryT query;
    query.kind = wire::QueryKind::timeline;
    query.person = person;
    query.role = kBenchRole;
    query.by = "bench";
    query.reason = "bench";
    query.rows_max = kPageRows;
    const auto begun = BenchClock::now();
    const auto page = ask(hub, std::move(query));
    // A child whom no event concerned is not known, and is answered in the same way.
    if (!page && page.error().kind != ErrorKind::not_found) return tl::unexpected(page.error());
    latencies.add(BenchClock::now() - begun);
    if (page) rows += page->rows.size();
  }
  return latencies;
}

struct Replayed {
  std::uint64_t deliveries = 0;
  double seconds = 0;
};

Result<Replayed> measure_replay(client::HubClient& hub, Surroundings& surroundings) {
  struct Course {
    std::mutex mutex;  // between the client's thread and the command's
    std::condition_variable changed;
    std::uint64_t deliveries = 0;
    bool last = false;
    std::optional<Error> error;
  };
  const auto course = std::make_shared<Course>();
  wire::ReplayT question;
  question.role = kBenchRole;
  question.filter = std::make_unique<ledger::FilterT>();
  question.first = 1;
  question.by = "bench";
  question.reason = "bench";
  const auto begun = BenchClock::now();
  auto asked = hub.ask(std::move(question), [course](Result<client::Reply> reply) {
    const std::lock_guard lock(course->mutex);
    const auto* frame = reply ? std::get_if<wire::ReplayedT>(&*reply) : nullptr;
    if (!reply) course->error = reply.error();
    if (frame != nullptr && frame->error != wire::ErrorKind::unknown)
      course->error = Error{error_kind(frame->error), frame->text};
    if (frame != nullptr) course->deliveries += frame->deliveries.size();
    course->last = frame == nullptr || frame->last || course->error;
    if (course->last) course->changed.notify_one();
  });
  if (!asked) return tl::unexpected(asked.error());
  std::unique_lock lock(course->mutex);
  while (!course->changed.wait_for(lock, kTurn, [&] { return course->last; })) {
    if (surroundings.stopped_within(milliseconds(0)))
      return fail(ErrorKind::unavailable, "stopped before the end");
  }
  if (course->error) return tl::unexpected(*course->error);
  return Replayed{course->deliveries, std::chrono::duration<double>(BenchClock::now() - begun).count()};
}

Result<Rows> measure_history(const BenchOptions& options, const BenchDirectory& directory,
                             Surroundings& surroundings) {
  surroundings.err << "filling a ledger with " << options.events << " events" << std::endl;
  auto fill = DoomedFill::start(options, directory, surroundings);
  if (!fill) return tl::unexpected(fill.error());
  const auto fill_rate = (*fill)->finish(surroundings);
  if (!fill_rate) return tl::unexpected(fill_rate.error());

  BenchEvents events = events_of(options);
  const auto begun = BenchClock::now();
  auto hub = BenchHub::start({directory.path(), options.subscribers, false});
  if (!hub) return tl::unexpected(hub.error());
  auto field = BenchField::open(**hub, options.subscribers);
  if (!field) return tl::unexpected(field.error());
  const auto first = (*field)->run(events, {1, 1, 0}, surroundings);
  if (!first) return tl::unexpected(first.error());
  // From the process's start until the receipt; the delivery that the run awaits as well comes after it.
  const double start_seconds = std::chrono::duration<double>(BenchClock::now() - begun).count() -
                               (first->deliveries_seconds - first->receipts_seconds);
  field->reset();
  if (surroundings.stopped_within(kQuiet)) return fail(ErrorKind::unavailable, "stopped before the end");
  const auto resident = resident_bytes();

  auto asker = (*hub)->connect({});
  if (!asker) return tl::unexpected(asker.error());
  std::vector<std::string> persons(kTimelines);
  std::ranges::generate(persons, [&] { return events.any_person(); });
  std::uint64_t timeline_rows = 0;
  const auto timelines = measure_timelines(**asker, persons, timeline_rows);
  if (!timelines) return tl::unexpected(timelines.error());
  const auto warm = measure_timelines(**asker, persons, timeline_rows);
  if (!warm) return tl::unexpected(warm.error());
  surroundings.err << "replaying" << std::endl;
  const auto replayed = measure_replay(**asker, surroundings);
  if (!replayed) return tl::unexpected(replayed.error());
  Rows rows;
  add(rows, "events", options.events);
  add(rows, "event_bytes", std::uint64_t{events.event_bytes()});
  add(rows, "filled_per_second", *fill_rate);
  rows.push_back({"start_after_kill_seconds", fmt::format("{:.3f}", start_seconds),
                  fmt::format("{:.3f} s to the first receipt", start_seconds)});
  add(rows, "idle_resident_bytes", resident);
  add(rows, "timeline_first_page_us", *timelines);
  add(rows, "timeline_page_again_us", *warm);
  add(rows, "timeline_rows_per_page", static_cast<double>(timeline_rows) / (2 * kTimelines));
  add(rows, "replayed", replayed->deliveries);
  add(rows, "replayed_per_second", per_second(replayed->deliveries, replayed->seconds));
  return rows;
}

}  // namespace

ExitCode bench(const BenchOptions& options, Surroundings& surroundings) {
  auto directory = BenchDirectory::open(options.data);
  if (!directory) {
    const bool foreign = directory.error().kind == ErrorKind::conflict;
    return complain(surroundings, foreign ? ExitCode::usage : ExitCode::storage, directory.error().text);
  }
  if ((*directory)->in_memory())
    surroundings.err << "carehub: " << (*directory)->path().string()
                     << " is in memory: what is measured says nothing about a disk" << std::endl;
  if (auto log = server::start_log({{}, true}); !log) return complain(surroundings, log.error());
  const bool history = options.work == BenchOptions::Work::history;
  const auto rows = history ? measure_history(options, **directory, surroundings)
                            : measure_publish(options, **directory, surroundings);
  if (!rows) return complain(surroundings, rows.error());
  print(history ? "history" : "publish", *rows, options.json, surroundings);
  return ExitCode::ok;
}

}  // namespace carehub::app
