#pragma once

#include <functional>
#include <unordered_map>

#include "broker/core/day_keys.hpp"
#include "broker/core/disclosure.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/repeats.hpp"
#include "broker/core/rules.hpp"
#include "broker/core/work_note.hpp"

namespace carehub::core {

/// Takes published messages in: what is refused, what is out of scope, what came before, and whose the rest
/// is.
class Admission {
 public:
  /// Called with every newly recorded event.
  using Admitted = std::function<Result<void>(const RecordedEvent&)>;

  Admission(const HubRules& rules, const StateReader& state, Journal& journal, storage::Vault& vault,
            DayKeys& day_keys, Random& random, Counters& counters, RepeatCounts& repeats, WorkNote& note,
            Admitted admitted);

  /// What becomes of one message from this peer. An error means that the state could not be read, or a
  /// decision not be made: stop.
  Result<wire::PublishOutcomeT> admit(const Peer& peer, const wire::PublishItem& item, Timestamp now,
                                      Decision& out);

 private:
  struct Subject;  // what is known about one message while it is decided
  struct Fault;    // why it is refused
  struct Recorded {
    Sequence sequence = 0;
    Timestamp appended_at;
  };

  static wire::PublishOutcomeT refused_outcome(const wire::PublishItem& item, const Fault& fault);
  std::uint64_t hash_of(const Subject& subject) const;
  Result<wire::PublishOutcomeT> go_round(Subject& subject, std::uint64_t hash);
  Result<wire::PublishOutcomeT> admit_item(Subject& subject);
  const InboundChannel* channel_of(const std::string& name) const;
  Result<wire::PublishOutcomeT> admit_event(Subject& subject);
  Result<wire::PublishOutcomeT> admit_new(Subject& subject, const Fingerprint& fingerprint,
                                          const KeyedHash& identity);
  std::optional<Fault> size_fault(const wire::PublishItem& item) const;
  std::optional<Fault> permission_fault(const Subject& subject) const;
  Result<void> find_person(Subject& subject);
  Result<void> find_child(Subject& subject);
  void mark(Subject& subject);
  Sequence record(const Subject& subject, const Fingerprint& fingerprint, const KeyedHash& identity);
  std::optional<Fingerprint> refusal_fingerprint(const Subject& subject, const Fault& fault) const;
  Result<Recorded> record_refusal(Subject& subject, const Fault& fault,
                                  const std::optional<Fingerprint>& fingerprint);
  /// The same message refused for the same reason gets the old refusal's receipt.
  Result<wire::PublishOutcomeT> refuse(Subject& subject, const Fault& fault);

  const StateReader& state_;
  Journal& journal_;
  storage::Vault& vault_;
  DayKeys& day_keys_;
  Random& random_;
  Counters& counters_;
  RepeatCounts& repeats_;
  WorkNote& note_;
  std::uint64_t secret_;  // no message can be told by its hash
  Admitted admitted_;
  std::unordered_map<std::string, InboundChannel> channels_;
  std::unordered_map<std::string, std::vector<event::EventType>> may_publish_;  // by agency
};

}  // namespace carehub::core
