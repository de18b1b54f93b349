#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/assert.hpp"
#include "broker/care/state.hpp"
#include "broker/core/engine.hpp"
#include "broker/core/work_note.hpp"
#include "broker/storage/memory_ledger.hpp"
#include "broker/storage/memory_state_store.hpp"
#include "broker/storage/memory_vault.hpp"
#include "tests/fakes/hand_clock.hpp"
#include "tests/fakes/seeded_random.hpp"

namespace carehub::fakes {

/// A frame as a client would read it.
struct Received {
  ConnectionId to = 0;
  wire::FrameT frame;
};

/// Plays the server's part around an engine without sockets: frames in, entries sealed and made durable,
/// frames out. Everything is in memory; restart() loses what a real power cut would lose.
class EngineHarness {
 public:
  /// Rules that tests start from: a hospital and a CAMHS trust that publish, a council, two schools and a
  /// commissioner that subscribe, each with a rule of its own.
  static core::HubRules county();

  explicit EngineHarness(core::HubRules rules = county(), std::uint64_t seed = 1);
  ~EngineHarness();

  core::HubRules rules;
  HandClock clock;
  SeededRandom random;
  storage::MemoryLedger ledger;
  storage::MemoryStateStore store;
  storage::MemoryVault vault;
  alignas(64) std::array<std::byte, core::WorkNote::kBytes> note_page{};  // outlives every restart
  std::unique_ptr<core::WorkNote> note;
  std::unique_ptr<storage::Sealer> sealer;
  std::unique_ptr<care::State> state;
  std::unique_ptr<core::Engine> engine;
  std::vector<core::Alarm> alarms;
  std::vector<core::Ask> asks;
  std::vector<core::AskReplay> replays;
  std::vector<core::AskErasure> erasures;
  std::vector<core::Destruction> destructions;  // that the server has not been told to do yet
  Timestamp due;

  /// Starts over the ledger and the state as they are.
  Result<void> start();
  /// The hub dies and comes back. `state_kept`: how many of the state's unsynced applies survive.
  void restart(std::size_t state_kept = 1'000'000);
  /// The hub dies and its state is gone altogether.
  void restart_without_state();

  static core::Peer peer(ConnectionId connection, const std::string& agency);
  static core::Peer operator_peer(ConnectionId connection);

  /// One step: the frame, then what is due, durable, and the frames that leave.
  std::vector<Received> send(const core::Peer& peer, wire::MessageUnion message);
  template <class Message>
  std::vector<Received> send(const core::Peer& peer, Message message) {
    wire::MessageUnion any;
    any.Set(std::move(message));
    return send(peer, std::move(any));
  }
  /// A step without a frame.
  std::vector<Received> step();
  /// Time goes on, in steps at each moment that the engine asked for.
  std::vector<Received> pass_ms(std::int64_t ms);
  std::vector<Received> disconnect(ConnectionId connection, core::Parting parting = core::Parting::lost);

  std::vector<Received> publish(const core::Peer& peer, std::vector<wire::PublishItemT> items);
  /// Publishes one event; its outcome.
  wire::PublishOutcomeT publish_one(const core::Peer& peer, wire::PublishItemT item);
  std::vector<Received> subscribe(const core::Peer& peer, const std::string& name, const std::string& role,
                                  std::uint32_t credit = 256, bool durable = true);
  std::vector<Received> ack(const core::Peer& peer, const std::string& subscription, Sequence sequence);
  std::vector<Received> nak(const core::Peer& peer, const std::string& subscription, Sequence sequence,
                            ledger::NakKind kind, std::uint32_t retry_after_ms = 0);

  /// An Erase frame, its search and what it decides. Keys are destroyed only with `destroy`.
  wire::ErasedT erase(const core::Peer& peer, wire::EraseT frame, bool destroy = true);

  /// All entries of one kind, opened, with their sequences.
  std::vector<std::pair<Sequence, ledger::BodyT>> entries(storage::EntryKind kind) const;
  bool alarmed(const std::string& code) const;

  /// All rows of a store in key order.
  static std::vector<storage::Row> rows(const storage::StateStore& store);

 private:
  std::vector<Received> commit(core::Decision decision);
};

/// An event as a child's admission, with what tests need set; `child` chooses the person.
struct EventSpec {
  event::EventType type = event::EventType::admission;
  int child = 1;
  std::string agency = "elwick-hospital";
  std::string id;                   // empty: made from a counter
  std::int64_t occurred_at_us = 0;  // 0: not stated
  int birth_year = 2012;
  event::EventType corrects = event::EventType::admission;
  std::string school_urn = "900101";
  int tier = 4;
};
event::EventT make_event(const EventSpec& spec);
Bytes pack_event(const event::EventT& event);
wire::PublishItemT item_of(const event::EventT& event, const std::string& channel = "elwick-adt");
wire::PublishItemT item_of(const EventSpec& spec, const std::string& channel = "elwick-adt");

/// A valid NHS number of the 999 range, different for each `child`.
std::string test_nhs_number(int child);

/// The frames of one type, in order.
template <class Table>
std::vector<Table> frames_of(std::vector<Received>& received) {
  std::vector<Table> found;
  for (auto& one : received) {
    if (one.frame.message.type != wire::MessageUnionTraits<Table>::enum_value) continue;
    found.push_back(std::move(*reinterpret_cast<Table*>(one.frame.message.value)));
  }
  return found;
}

/// The entry that a body holds; it must be of this type.
template <class Table>
const Table& entry_of(const ledger::BodyT& body) {
  CAREHUB_ASSERT(body.entry.type == ledger::EntryUnionTraits<Table>::enum_value,
                 "the entry is of the expected type");
  return *reinterpret_cast<const Table*>(body.entry.value);
}

/// All deliveries of a subscription, in the order in which they left.
std::vector<wire::DeliveryT> deliveries_of(std::vector<Received>& received, const std::string& subscription);

}  // namespace carehub::fakes
