#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"

/// Erasing all that is about one person, as an operator asks for it.
namespace carehub::core {

/// An event's identifiers, and those that it says belong to the same person or did: of links and merges, in
/// the forms of identity.hpp.
std::vector<std::string> linked_identifier_texts(const event::Event& event);
/// Whether a link or merge takes back an earlier one.
bool takes_back_a_link(const event::Event& event);

/// Whether the message that was refused names one of these identifiers. Where it is an event, as that says.
/// In any other the value is looked for in the bytes, with and without its spaces and dashes, if it has six
/// characters or more: what is in another character set, packed, or written in another way is not found.
bool names_any(const ledger::Refusal& refusal, const std::vector<std::string>& names);

class Erasures {
 public:
  Erasures(const DeliveryContext& context, Deliveries& deliveries, storage::Vault& vault)
      : context_(context), deliveries_(deliveries), vault_(vault) {}

  /// Records the asking, and has the ledger searched.
  Result<void> ask(const Peer& peer, const wire::Erase& frame, Timestamp now, Decision& out);

  Result<void> erase(const AskErasure& ask, ErasureFindings findings, Sequence head, Timestamp now,
                     Decision& out);

 private:
  Result<void> look_at_the_newest(ErasureFindings& findings, Sequence head) const;
  Result<Sequence> record(const AskErasure& ask, const ErasureFindings& findings, bool complete,
                          Timestamp now);

  DeliveryContext context_;
  Deliveries& deliveries_;
  storage::Vault& vault_;
};

}  // namespace carehub::core
