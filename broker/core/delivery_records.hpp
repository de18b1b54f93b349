#pragma once

#include <map>
#include <string>
#include <tuple>

#include "broker/core/state_reader.hpp"

namespace carehub::core {

/// What one subscription's step has to say to the ledger: gathered, then written as one entry of each kind
/// (Offered: one for each legal basis and policy version, or more where a child's order asks for it).
class DeliveryRecords {
 public:
  void offered(const Pending& delivery, std::uint32_t attempt, const std::string& legal_basis);
  /// `why`: the rule by which nothing is shown, in the hub's words.
  void withheld(Sequence sequence, std::uint64_t policy_version, const std::string& why);
  void acked(Sequence sequence);
  void nacked(const Pending& delivery, ledger::NakKind kind, bool counted, const std::string& code);
  void dead_letter(const Pending& delivery, const std::string& code);

  bool empty() const;
  /// Writes in the order acked, nacked, dead letters, offered, withheld, and forgets.
  void write(const std::string& subscription, const std::string& role, const KeyId& key, Journal& journal,
             Timestamp at);

 private:
  /// Legal basis, policy version, late, what was known.
  using OfferedUnder = std::tuple<std::string, std::uint64_t, bool, Sequence>;
  struct Run {
    Sequence first = 0;
    Sequence last = 0;
    std::uint32_t attempt = 1;
    PersonKey person;
    event::EventType type = event::EventType::unknown;
    event::Urgency urgency = event::Urgency::unknown;
  };
  struct Nack {
    Sequence sequence = 0;
    ledger::NakKind kind = ledger::NakKind::unknown;
    bool counted = false;
    std::uint32_t attempt = 0;
    std::string code;
  };
  struct Dead {
    Sequence sequence = 0;
    std::uint32_t attempts = 0;
    std::string code;
  };

  struct Group {
    OfferedUnder under;
    std::vector<Run> runs;
  };
  Group& group_for(const PersonKey& person, OfferedUnder under);

  std::vector<Group> offered_;
  std::map<PersonKey, std::size_t> newest_group_;  // of a child, where it is not the first
  std::map<std::pair<std::uint64_t, std::string>, std::vector<Sequence>> withheld_;  // by policy and rule
  std::vector<Sequence> acked_;
  std::vector<Nack> nacked_;
  std::vector<Dead> dead_;
};

/// Why the hub itself counts a failure, or gives a delivery up: the client's session was lost over it, what
/// is behind the client fell over it, or the hub did.
constexpr const char* kConnectionLostCode = "connection_lost";
constexpr const char* kReceiverFellOverCode = "receiver_fell_over";
constexpr const char* kHubFellOverCode = "hub_fell_over";

/// OperatorAction's words for what was done about a dead letter.
constexpr const char* kSendAgainAction = "send dead letter again";
constexpr const char* kDiscardAction = "discard dead letter";
constexpr const char* kMendAction = "mend dead letter";  // `detail`: the event that stands in for it

constexpr const char* kPassOverAction = "pass over entry";  // by the hub, which fell over it

/// A finished ledger::Body that holds `entry`.
template <class Table>
Bytes finish_body(flatbuffers::FlatBufferBuilder& builder, flatbuffers::Offset<Table> entry) {
  const auto body = ledger::CreateBody(builder, ledger::EntryTraits<Table>::enum_value, entry.Union());
  builder.Finish(body, ledger::BodyIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

}  // namespace carehub::core
