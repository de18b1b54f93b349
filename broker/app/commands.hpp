#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/app/surroundings.hpp"

/// Every command of the program: its options as plain values, and the function that does it. Each writes its
/// result to `out`, everything else to `err`, and throws nothing.
namespace carehub::app {

/// Conditions from the command line: a key of server::filter_keys() and one word.
using FilterWords = std::vector<std::pair<std::string, std::string>>;

/// Whom a question is about. On the command line it would stay in the shell's history, so it may come from a
/// file, or from standard input when `text` or `file` is "-". Forms: nhs:VALUE, upn:VALUE,
/// local:ISSUER:VALUE, sequence:N (whom that entry is about).
struct PersonOption {
  std::optional<std::string> text;
  std::optional<std::string> file;
  bool given() const { return text || file; }
};

struct RunOptions {
  std::filesystem::path config;
  enum class Parts : std::uint8_t { all, broker, adapter } parts = Parts::all;
  std::vector<std::string> channels;  // of `adapter`
};
ExitCode run(const RunOptions& options, Surroundings& surroundings);

struct CheckOptions {
  std::filesystem::path config;
  bool json = false;
};
ExitCode check(const CheckOptions& options, Surroundings& surroundings);

struct TryOptions {
  std::filesystem::path config;
  std::string channel;
  std::string file;  // "-": standard input
  bool json = false;
};
ExitCode try_message(const TryOptions& options, Surroundings& surroundings);

struct PublishOptions {
  std::filesystem::path config;
  std::string file;  // "-": standard input
  std::string agency;
  std::string channel;
  bool json = false;
};
ExitCode publish(const PublishOptions& options, Surroundings& surroundings);

struct WatchOptions {
  std::filesystem::path config;
  std::string role;
  std::string agency;
  FilterWords filter;
  std::uint64_t count = 0;    // stop after so many; 0: never
  std::uint32_t seconds = 0;  // stop after so long; 0: never
  bool json = false;
};
ExitCode watch(const WatchOptions& options, Surroundings& surroundings);

struct TimelineOptions {
  std::filesystem::path config;
  PersonOption person;  // it, or `journey`, or all that `agency` sent
  std::string journey;
  std::string role;
  std::string agency;  // of a person: in whose name it is asked
  FilterWords types;
  std::string channel;
  std::string since;  // written down by the hub then or later; a time, or a day
  std::string until;
  std::string by;
  std::string reason;
  bool fields = false;
  bool json = false;
  bool csv = false;
};
ExitCode timeline(const TimelineOptions& options, Surroundings& surroundings);

struct ReplayOptions {
  std::filesystem::path config;
  PersonOption person;
  std::string role;
  std::string agency;
  std::string by;
  std::string reason;
  FilterWords filter;
  std::uint64_t first = 1;
  std::uint64_t last = 0;      // 0: to the end as it is now
  std::string since;           // a time or a day, of when the hub wrote an event down
  std::string until;           // a time, which is not meant, or a day, which is
  std::string into;            // a subscription to send it to; empty: standard output or `file`
  std::filesystem::path file;  // empty: standard output
  bool resume = false;         // of `file`
  std::uint32_t rate = 0;  // deliveries a minute; 0: as fast as it goes, into a subscription the hub's usual
  bool raise_notices = false;  // of `into`
  bool preview = false;
  bool yes = false;  // of `into`: without its preview and the question
  bool json = false;
};
ExitCode replay(const ReplayOptions& options, Surroundings& surroundings);

struct DeadLetterOptions {
  std::filesystem::path config;
  enum class Action : std::uint8_t { list, show, send_again, mend, discard } action = Action::list;
  std::string subscription;
  std::uint64_t sequence = 0;  // 0: all that the conditions below let through
  std::string type;
  std::string code;
  std::string since;  // given up then or later; RFC 3339
  bool all = false;   // of send_again and discard, without a sequence
  std::string event;  // of mend: the file of the event that stands in for it; "-": standard input
  std::string role;   // of show
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode dead_letters(const DeadLetterOptions& options, Surroundings& surroundings);

struct SubscriptionsOptions {
  std::filesystem::path config;
  enum class Action : std::uint8_t { list, pause, resume, remove, reset } action = Action::list;
  std::string name;  // of all but `list`
  std::string to;    // of `reset`: beginning, now, an entry's number, or a time in RFC 3339
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode subscriptions(const SubscriptionsOptions& options, Surroundings& surroundings);

struct EraseOptions {
  std::filesystem::path config;
  PersonOption person;  // sequence:N of an Erasure looks at that one again
  std::string by;
  std::string reason;
  bool preview = false;
  bool yes = false;  // do not ask
  bool json = false;
};
ExitCode erase(const EraseOptions& options, Surroundings& surroundings);

struct VaultOptions {
  std::filesystem::path config;
  enum class Action : std::uint8_t { rotate } action = Action::rotate;
  std::filesystem::path new_key_file;  // where the master key does not come from a file
  std::string by;
  std::string reason;
  bool json = false;
};
ExitCode vault(const VaultOptions& options, Surroundings& surroundings);

struct StatusOptions {
  std::filesystem::path config;
  bool json = false;
};
ExitCode status(const StatusOptions& options, Surroundings& surroundings);

struct RebuildOptions {
  std::filesystem::path config;
  bool json = false;
};
ExitCode rebuild(const RebuildOptions& options, Surroundings& surroundings);

struct RecoverOptions {
  std::filesystem::path config;
  bool accept_loss = false;   // without it nothing is changed
  std::string operator_name;  // empty: the name under which the process runs
  std::string reason;         // with accept_loss
  bool json = false;
};
/// `corrupt` where a loss is found and not accepted.
ExitCode recover(const RecoverOptions& options, Surroundings& surroundings);

struct KeysOptions {
  std::filesystem::path file;  // FILE.public and FILE.secret
  bool json = false;
};
ExitCode keys(const KeysOptions& options, Surroundings& surroundings);

/// Defaults are those of the published figures.
struct BenchOptions {
  enum class Work : std::uint8_t { publish, history } work = Work::publish;
  std::uint64_t events = 100'000;
  std::uint64_t preload = 0;  // of publish: events that are there before it is measured
  std::uint32_t window = 1024;
  std::uint32_t rate = 0;  // events a second; 0: as fast as it goes
  std::uint32_t subscribers = 3;
  std::uint32_t children = 400'000;
  std::uint32_t size = 600;  // of an event, in bytes
  bool curve = false;
  std::filesystem::path data;  // empty: temporary
  std::uint64_t seed = 1;
  bool json = false;
};
ExitCode bench(const BenchOptions& options, Surroundings& surroundings);

struct VersionOptions {
  bool json = false;
};
ExitCode version(const VersionOptions& options, Surroundings& surroundings);

}  // namespace carehub::app
