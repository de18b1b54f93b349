#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/day_keys.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// Writes down what happened at the doors that adapters keep: inbound channels, and the console where people
/// sign in. Who signed in or out has an entry of his own, within a number a minute; who was turned away is
/// counted, with one entry a minute of each door and cause, so that nobody fills the ledger by knocking.
class Doors {
 public:
  Doors(const std::vector<InboundChannel>& channels, Journal& journal, DayKeys& day_keys,
        RefusedQuestions& refused);

  /// Answers by Handled: the last entry that says so, or 0 where all was counted. `overloaded`: too many have
  /// signed in within the minute, and nothing of the frame is written down.
  Result<void> handle(const Peer& peer, const wire::TellDoor& frame, Timestamp now, Decision& out);
  /// Writes down counts that are due; when the next one is.
  Result<Timestamp> advance(Timestamp now);

  static constexpr std::int64_t kApartUs = 60 * kSecondUs;
  static constexpr std::size_t kEntriesMax = 240;  // of who signed in or out, a minute
  static constexpr std::size_t kEventsMax = 64;    // of a frame
  static constexpr std::size_t kDoorsMax = 256;    // those of more are counted together

 private:
  struct Told {
    Timestamp at;
    std::uint64_t since = 0;  // that were only counted
    std::string by;           // who keeps the door
    std::string agency;
  };
  /// Whether the peer may speak of that door.
  bool keeps(const Peer& peer, const wire::TellDoor& frame) const;
  /// Why the frame is not taken; empty: it is.
  static std::string fault_of(const wire::TellDoor& frame);
  /// False: the vault cannot be extended now.
  Result<Sequence> write(const ledger::AccessT& access, Timestamp now);
  Result<Sequence> came_or_went(const Peer& peer, const std::string& door, const wire::AtDoor& said,
                                Timestamp now);
  void turn_away(const Peer& peer, const std::string& door, const wire::AtDoor& said);

  Journal& journal_;
  DayKeys& day_keys_;
  RefusedQuestions& refused_;
  std::map<std::string, std::string> agencies_;  // of inbound channels, by name
  std::map<std::pair<std::string, wire::TurnedAway>, Told> turned_away_;
  Timestamp minute_;  // in which `entries_` were written
  std::size_t entries_ = 0;
};

}  // namespace carehub::core
