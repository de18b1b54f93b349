#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/refused_questions.hpp"

/// Erasing all that is about one person, as an operator asks for it.
namespace carehub::core {

/// An event's identifiers, and those that it says belong to the same person or did: of links and merges, in
/// the forms of identity.hpp.
std::vector<std::string> linked_identifier_texts(const event::Event& event);
/// Whether a link or merge takes back an earlier one.
bool takes_back_a_link(const event::Event& event);

/// What an OperatorAction behind an Erasure is called that tells what that one has left.
constexpr const char* kErasureLeftAction = "erase, with a rest";

/// Whether the message that was refused names one of these identifiers. Where it is an event, as that says.
/// In any other the value is looked for in the bytes, as a word of its own: an NHS number or UPN with and
/// without spaces and dashes, any other as it is, if it has six characters or more and looks like nobody
/// else's: with a digit, and not one digit over and over. What is in another character set, or written in
/// another way, is not found. `unread`: its original cannot be unpacked.
enum class Naming : std::uint8_t { no, yes, unread };
Naming names_any(const ledger::Refusal& refusal, const std::vector<std::string>& names);

class Erasures {
 public:
  Erasures(const DeliveryContext& context, Deliveries& deliveries, RefusedQuestions& refused)
      : context_(context), deliveries_(deliveries), refused_(refused) {}

  /// Records the asking, a refused one, too, and has the ledger searched.
  Result<void> ask(const Peer& peer, const wire::Erase& frame, Timestamp now, Decision& out);

  Result<void> erase(const AskErasure& ask, ErasureFindings findings, Sequence head, Timestamp now,
                     Decision& out);
  Result<void> conclude(Destruction destruction, const std::vector<std::string>& copies, Timestamp now,
                        Decision& out);

 private:
  struct Whom {
    std::string what;
    std::unique_ptr<ledger::Key> person;
  };
  Result<Whom> whom(std::string_view typed) const;
  /// False: what came in changes whom the search was for, so it has to be made again.
  Result<bool> look_at_the_newest(ErasureFindings& findings, Sequence head) const;
  Result<bool> take_newest_event(ErasureFindings& findings, const StoredBody& stored,
                                 const ledger::EventEntry& entry) const;
  Result<Sequence> record(const Destruction& destruction, bool complete, Timestamp now);
  Result<void> record_rest(const Destruction& destruction, const std::string& rest, Timestamp now);

  DeliveryContext context_;
  Deliveries& deliveries_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
