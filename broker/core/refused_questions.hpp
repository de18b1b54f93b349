#pragma once

#include <map>
#include <memory>
#include <string>

#include "broker/core/asked_text.hpp"
#include "broker/core/day_keys.hpp"
#include "broker/core/engine.hpp"

namespace carehub::core {

/// The verb of an Access that says that nothing was shown: before the verb of what was asked.
constexpr const char* kRefusedVerb = "refused ";

/// What an operator's frame asks to have done: a verb with what it is about, and by whom and why, as typed.
struct Wish {
  std::string verb;
  AskedText what;
  const flatbuffers::String* by = nullptr;
  const flatbuffers::String* reason = nullptr;
  std::unique_ptr<ledger::Key> person = {};  // whom it is about, as an Access names them
};

/// Writes down that something was asked and refused: who tries to see what is not theirs, or to have it
/// changed, is for auditors to find. Of each client at most one a minute is told by itself; the others of
/// that minute are counted, so that nobody fills the ledger by asking. Of more than kClientsMax clients in
/// one minute the rest are counted together.
class RefusedQuestions {
 public:
  RefusedQuestions(Journal& journal, DayKeys& day_keys) : journal_(journal), day_keys_(day_keys) {}

  /// `access` says what was asked, and why it was refused; its verb without `refused`.
  Result<void> add(const Peer& peer, ledger::AccessT access, Timestamp now);
  /// `why` it was refused, in the hub's own words. A text that is too long to be kept is left out.
  Result<void> add(const Peer& peer, Wish wish, const std::string& why, Timestamp now);
  /// Whether add() would write it down by itself: what that costs can be left out where it is only counted.
  bool tells(const Peer& peer, Timestamp now) const;
  /// Writes down counts that are due; when the next one is. A vault that cannot be extended is asked again a
  /// minute later, and what could not be written is counted.
  Result<Timestamp> advance(Timestamp now);

  static constexpr std::int64_t kApartUs = 60 * kSecondUs;
  static constexpr std::size_t kClientsMax = 1024;

 private:
  struct Told {
    Timestamp at;
    std::uint64_t since = 0;  // that were only counted
    std::string agency;
    std::string by;
  };
  /// False: the vault cannot be extended now.
  Result<bool> write(const ledger::AccessT& access, Timestamp now);
  /// Writes down how many `told` counted, unless the vault cannot be extended.
  Result<void> tell_count(Told& told, const std::string& of_whom, Timestamp now);
  static std::string key_of(const Peer& peer) { return peer.agency + "/" + peer.client; }

  Journal& journal_;
  DayKeys& day_keys_;
  std::map<std::string, Told> told_;
  Told others_;  // all clients beyond kClientsMax, together
};

}  // namespace carehub::core
