#pragma once

#include "broker/core/deliveries.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/named_child.hpp"
#include "broker/core/refused_questions.hpp"

namespace carehub::core {

/// What operators say of a child who is protected: marks that are set or lifted, on the one record that
/// they name. A mark that an event itself bears stays with that event.
class ChildMarks {
 public:
  ChildMarks(const DeliveryContext& context, RefusedQuestions& refused)
      : context_(context), refused_(refused) {}

  /// Answers by Handled: the entry that says so, or 0 where all marks are set already. It is sealed under the
  /// record's own key, and goes with it.
  Result<void> handle(const Peer& peer, const wire::MarkChild& frame, Timestamp now, Decision& out);

 private:
  struct Refusal {
    ErrorKind kind;
    std::string why;
  };
  struct Change {
    PersonKey person;
    KeyId key_id;
    RestrictionSet marks = 0;
  };
  static std::optional<Refusal> fault_of(const Peer& peer, const wire::MarkChild& frame);
  /// What is still to be said of the record; `borne`: the marks that it bears.
  Result<std::optional<Change>> change_of(const PersonKey& person, RestrictionSet asked, bool lift,
                                          RestrictionSet& borne) const;
  Sequence record(const Peer& peer, const wire::MarkChild& frame, const Change& change, Timestamp now);

  DeliveryContext context_;
  RefusedQuestions& refused_;
};

}  // namespace carehub::core
