#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "schemas/ledger_generated.h"
#include "tests/simulation/county.hpp"
#include "tests/simulation/hub.hpp"

namespace carehub::simulation {

/// What was promised, followed from outside: every frame that goes in or out of the hub, and every entry once
/// it is synced. It shares no code with the rooms that decide.
class Model final : public Wiretap {
 public:
  explicit Model(Verdict& verdict) : verdict_(verdict) {}

  /// The ledger and its keys are read from here on.
  void watch(const Hub& hub) { hub_ = &hub; }

  Publication& add(Publication publication);
  const std::deque<Publication>& publications() const { return publications_; }
  /// The entry that holds it; 0: none is synced.
  Sequence entry_of(std::size_t publication) const;

  void hub_took(Serial serial, const std::string& agency, BytesView frame) override;
  void hub_sent(Serial serial, const std::string& agency, BytesView frame, bool late) override;
  void hub_forgot(Serial serial) override;
  void hub_crashed();
  /// The hub has done a step and is still there.
  void hub_stepped();
  /// Reads what is synced by now; the last of it ends a batch.
  void read_ledger();

  /// A receiver failed everything for a while: who did so for many events is not to blame them for it.
  void outage(const Interest& interest) { ++books_[interest.number].outages; }
  /// Answers may have been swapped or doubled: what a subscriber said and when is not certain.
  void answers_uncertain() { uncertain_ = true; }

  /// Deliveries of a subscription that are neither acked nor given up.
  std::size_t open(const Interest& interest) const;
  /// Those among them that their receiver does not like.
  std::size_t stuck(const Interest& interest) const;
  std::vector<Sequence> acked(const Interest& interest) const;
  bool exists(const Interest& interest) const { return books_[interest.number].since != 0; }
  /// A delivery that was given up, to be handled by an operator.
  std::optional<Sequence> some_dead_letter(const Interest& interest, Dice& dice) const;
  std::string describe_open(const Interest& interest) const;

 private:
  /// One event for one subscription.
  struct Line {
    int child = 0;
    const Publication* publication = nullptr;
    std::uint32_t attempt = 0;  // of the newest Offered; 0: none yet
    std::uint32_t counted = 0;
    std::uint32_t sent_attempt = 0;  // the highest that left
    std::uint32_t failed_naks = 0;   // frames
    std::uint64_t outages_before = 0;
    bool nacked = false;
    bool rejected = false;
    bool settled = false;
    bool dead = false;
    bool late = false;
    bool after_gap = false;
    bool ack_seen = false;
  };
  struct AckAhead {
    Sequence first = 0;
    Sequence last = 0;
    Serial serial = 0;
  };
  struct Unexplained {
    std::size_t interest = 0;
    Sequence sequence = 0;
    Serial serial = 0;
  };
  struct Book {
    Sequence since = 0;  // the entry that made the subscription
    std::map<Sequence, Line> lines;
    std::map<int, std::set<Sequence>> open;  // by child
    std::set<int> gap_waits;                 // children whose next event comes after a gap
    std::set<Sequence> owed;                 // neither Offered nor Withheld yet
    std::vector<AckAhead> acks_ahead;        // of what had not been delivered
    std::uint64_t outages = 0;
  };
  /// What one connection was given under one name.
  struct Attachment {
    bool subscribed = false;  // Subscribed has left
    std::uint64_t credit = 0;
    std::uint64_t sent = 0;
    std::map<Sequence, std::uint32_t> in_flight;  // attempt
  };
  struct Connection {
    std::map<std::string, Attachment> attachments;
    std::map<std::uint64_t, std::size_t> published;  // number -> publication
  };
  struct Kept {
    const Publication* publication = nullptr;
    std::int64_t appended_at = 0;
  };

  // Frames (model_frames.cpp)
  void took_publish(Connection& connection, const wire::Publish& frame);
  void took_ack(Serial serial, Connection& connection, const std::string& agency, const wire::Ack& frame);
  void took_nak(Connection& connection, const std::string& agency, const wire::Nak& frame);
  void sent_published(Connection& connection, const wire::Published& frame);
  void sent_outcome(const Publication& publication, const wire::PublishOutcome& outcome);
  void sent_deliver(Connection& connection, const std::string& agency, const wire::Deliver& frame, bool late);
  void sent_delivery(const Interest& interest, Attachment& attachment, const wire::Delivery& delivery,
                     bool late);
  void check_turn(const Interest& interest, const Line& line, const wire::Delivery& delivery);
  void check_view(const Interest& interest, const Line& line, const wire::Delivery& delivery);

  // Entries (model_ledger.cpp)
  void read_entry(Sequence sequence, std::int64_t appended_at, const ledger::Body& body);
  void read_event(Sequence sequence, std::int64_t appended_at, const ledger::EventEntry& entry);
  void read_offered(Sequence at, const ledger::Offered& entry);
  void read_withheld(const ledger::Withheld& entry);
  void read_acked(const ledger::Acked& entry);
  void read_nacked(const ledger::Nacked& entry);
  void read_dead_letter(const ledger::DeadLetter& entry);
  void offer_first(Book& book, Line& line, Sequence sequence, bool late);
  void end_batch();
  Line* line_of(const flatbuffers::String* subscription, Sequence sequence, const char* what);
  Book* book_of(const flatbuffers::String* subscription);

  bool synced(Sequence sequence) const { return sequence <= read_through_; }
  void broken(const char* promise, const std::string& how) { verdict_.broken(promise, how); }

  Verdict& verdict_;
  const Hub* hub_ = nullptr;
  std::deque<Publication> publications_;
  std::map<std::string, std::size_t> by_bytes_;
  std::map<Sequence, Kept> kept_;
  std::map<std::size_t, Sequence> entry_of_;
  std::set<Sequence> refusals_;
  std::map<std::size_t, Sequence> receipts_;  // what was said, by publication
  std::array<Book, kInterests> books_;
  std::map<Serial, Connection> connections_;
  std::vector<Unexplained> unexplained_;                  // acked before they were seen to leave
  std::vector<std::pair<std::size_t, Sequence>> doomed_;  // failed often enough in this batch
  Sequence read_through_ = 0;
  std::int64_t newest_at_ = 0;
  bool uncertain_ = false;
};

}  // namespace carehub::simulation
