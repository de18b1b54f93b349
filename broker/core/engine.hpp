#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/base/random.hpp"
#include "broker/core/state_reader.hpp"
#include "broker/core/strangers.hpp"
#include "broker/storage/vault.hpp"
#include "schemas/wire_generated.h"

/// The broker's decisions. No sockets, threads, files or logger: frames and the time go in, entries and
/// messages out.
namespace carehub::core {

/// Who is on a connection, as the server authenticated it; never as a frame claims.
struct Peer {
  ConnectionId connection = 0;
  std::string client;  // name of the process, for the record
  std::string agency;  // empty for an operator
  bool is_operator = false;
};

/// A frame that may leave once everything appended before it is durable.
struct Send {
  ConnectionId to = 0;
  Bytes frame;
};

/// A read that may run once its Access entry is durable.
struct Ask {
  Peer peer;
  wire::QueryT query;
  Timestamp at = {};  // when it was asked: agreements are judged by it
};
struct AskReplay {
  Peer peer;
  wire::ReplayT replay;
  Timestamp at = {};
};

/// A search for all that is about one person, through the whole ledger, and what it found. `names` are their
/// identifiers in clear, which nobody writes down. `again`: an erasure that is there is looked at once more.
struct AskErasure {
  Peer peer;
  wire::EraseT erase;
};
struct ErasureFindings {
  std::vector<PersonKey> people;  // who the hub was told are one
  std::vector<KeyId> keys;        // that seal what is about them
  std::vector<std::string> names;
  std::vector<Sequence> shared;  // events that are about somebody else, too
  std::uint64_t events = 0;
  std::uint64_t refusals = 0;
  std::vector<Sequence> refused;      // refused messages that go
  std::uint64_t refusals_kept = 0;    // under a key that seals others' refusals as well
  std::uint64_t refusals_unread = 0;  // whose original cannot be unpacked, whoever they name
  std::string stays;                  // what an erasure that is asked for again has left
  Sequence through = 0;               // the last entry that was looked at
  bool again = false;
};
/// Keys that are to go once the Erasure that names them is durable, and what is said then.
struct Destruction {
  Peer peer;
  std::vector<KeyId> keys;
  wire::ErasedT answer;
  std::vector<PersonKey> people = {};
  std::string by = {};
  std::string reason = {};
  bool all = true;  // nothing that names them stays
};

/// Copies of the ledger and the vault that may be made once their Access entry is durable.
struct AskBackup {
  Peer peer;
  wire::BackupT backup;
};

/// Something an operator should know. `code` is stable and listed in the runbook; no personal data.
struct Alarm {
  std::string code;
  std::string text;
};

/// How a connection ended: by the client's word, or it was lost.
enum class Parting : std::uint8_t { goodbye, lost };

class Policy;

struct Decision {
  std::vector<Send> sends;
  std::vector<Ask> asks;
  std::vector<AskReplay> replays;
  std::vector<Alarm> alarms;
  std::vector<AskErasure> erasures = {};
  std::vector<Destruction> destructions = {};
  std::vector<AskBackup> backups = {};
  std::vector<std::shared_ptr<const Policy>> policies = {};  // by which questions are answered from now on
};

/// Counts since start; read by the metrics.
struct Counters {
  std::uint64_t received = 0, duplicates = 0, refused = 0, not_kept = 0, offered = 0, delivered = 0,
                acked = 0, nacked = 0, withheld = 0, dead_lettered = 0, ignored_answers = 0,
                excess_credit = 0;  // grants that went beyond what a subscription may hold
};

class WorkNote;

class Engine {
 public:
  /// `note`: where it says what it is at; nullptr: on a page that dies with it.
  Engine(const StateReader& state, Journal& journal, storage::Vault& vault, Random& random,
         WorkNote* note = nullptr);
  ~Engine();

  /// Takes the configuration and the folded state: records what changed (PolicyChanged, ConfigChanged,
  /// SubscriptionChanged) and loads what is pending. Call it once, first. Error `invalid`: the policy text
  /// does not parse.
  Result<void> start(const HubRules& rules, EngineState state, Timestamp now, Decision& out);

  /// A verified frame from an authenticated peer (Hello and Heartbeat are the server's own).
  /// An error means the state could not be read: stop (decision 3).
  Result<void> handle(const Peer& peer, const wire::Frame& frame, Timestamp now, Decision& out);

  /// The connection is gone: what it had in flight is pending again. An attempt is counted only of what makes
  /// its receiver fall over again and again (see Suspicion).
  void disconnected(ConnectionId connection, Timestamp now, Parting parting = Parting::lost);

  /// Ends a step: writes the batched Offered, Acked, Nacked and Withheld, times out deliveries, and sends
  /// what is ready within credit. The moment of the next thing that is due.
  Result<Timestamp> advance(Timestamp now, Decision& out);

  /// Decides about an Erase frame once its search has come to its end: writes the Erasures, from which the
  /// state's rows go, and gives up what is pending or in flight for them. A preview writes nothing.
  Result<void> erase(const AskErasure& ask, ErasureFindings findings, Timestamp now, Decision& out);
  /// Once they are durable. Error `unavailable`: try again later; the next start does, too.
  Result<void> destroy(const std::vector<KeyId>& keys);
  /// Older copies of the vault that still have one of these keys. May take long; for any thread.
  std::vector<std::string> copies_with(const std::vector<KeyId>& keys) const;
  /// Once they are destroyed and the copies were looked for: answers, and writes down that the erasure is
  /// complete, where it is.
  Result<void> conclude(Destruction destruction, const std::vector<std::string>& copies, Timestamp now,
                        Decision& out);

  /// Records how a backup ended, the last entry in the copy or why there is none, and says it.
  Result<void> end_backup(const AskBackup& ask, const Result<Sequence>& copied, Timestamp now, Decision& out);

  /// Answers with the figures that a question for a report has brought together (care::Report), once they are
  /// written down where they were made for the first time.
  Result<void> end_report(const Ask& ask, wire::PageT page, Timestamp now, Decision& out);

  /// Writes down how often those knocked whom the hub does not know: one entry a minute and cause. `totals`
  /// are since start.
  Result<void> note_strangers(const StrangerCounts& totals, Timestamp now);

  const Counters& counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carehub::core
