#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "schemas/ledger_generated.h"
#include "tests/simulation/county.hpp"
#include "tests/simulation/hub.hpp"

namespace carehub::simulation {

/// Who is written down to have changed something.
constexpr const char* kOperatorsName = "client-of-/operator";
constexpr const char* kConfiguration = "configuration";

/// Of a subscription that ends with its connection, in the ledger.
std::string watch_name(const std::string& label, Serial serial);

/// What was promised, followed from outside: every frame that goes in or out of the hub, and every entry once
/// it is synced. It shares no code with the rooms that decide.
class Model final : public Wiretap {
 public:
  explicit Model(Verdict& verdict) : verdict_(verdict) {}

  /// The ledger and its keys are read from here on.
  void watch(const Hub& hub) { hub_ = &hub; }

  Publication& add(Publication publication);
  const std::deque<Publication>& publications() const { return publications_; }
  /// What the operator wrote into hub.toml, once no start under the one before can be under way.
  void configured(const Setup& setup) { setup_ = setup; }
  /// The entry that holds it; 0: none is synced.
  Sequence entry_of(std::size_t publication) const;

  void hub_took(Serial serial, const std::string& agency, BytesView frame) override;
  void hub_sent(Serial serial, const std::string& agency, BytesView frame, bool late) override;
  void hub_forgot(Serial serial) override;
  /// Reads what has survived, and forgets who was connected.
  void hub_crashed();
  /// It serves from here on.
  void hub_started();
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
  bool paused(const Interest& interest) const { return books_[interest.number].paused; }
  /// It skips, or has events behind it that it has still to look at.
  bool moving(const Interest& interest) const;
  Sequence head() const { return read_through_; }
  /// Of an event, or of an Erasure when it is to be done again.
  std::optional<Sequence> some_entry_to_erase(bool again, Dice& dice) const;
  /// Keys that the ledger says are erased may be on the vault's disk.
  bool has_keys_left() const;
  /// It lacks keys that entries are sealed with.
  bool is_too_old(const BlockVault& vault) const;
  /// At the end: reads the whole ledger once more.
  void check_what_is_left();
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
    // Answers may come in when it has been offered anew: these count over all its lives.
    std::uint32_t counted_ever = 0;
    std::uint32_t failed_naks = 0;  // frames
    std::uint64_t outages_before = 0;
    std::uint32_t losses = 0;           // sessions in a row that were lost with it in flight
    std::uint32_t uncounted = 0;        // of these, in a row, while others were taken
    std::uint32_t blames = 0;           // that were counted
    std::uint64_t sessions_before = 0;  // of its subscription, when it was offered
    std::uint64_t acks_at_loss = 0;
    std::uint64_t acks_at_blame = 0;
    bool nacked = false;
    bool rejected = false;
    bool settled = false;
    bool dead = false;
    bool discarded = false;
    bool skipped = false;
    Sequence settled_at = 0;  // the entry that did it
    Sequence policy = 0;      // the version under which it was offered
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
    Sequence since = 0;  // the entry that made the subscription; 0: it is not there
    bool ever = false;
    bool configured = false;
    Wants wants;
    bool paused = false;
    Sequence skip_before = 0;               // what waits before it is being skipped
    Sequence next = 0;                      // events from here on are still looked at,
    Sequence through = 0;                   // up to here; 0: it starts, and does so up to the ledger's end
    Sequence moved_at = 0;                  // the entry that sent it there
    std::map<Sequence, Sequence> withheld;  // by event: the newest entry that says so
    std::set<Sequence> sent_again;          // dead letters, by an operator; not Offered yet
    std::map<Sequence, Line> lines;
    std::map<int, std::set<Sequence>> open;  // by child
    std::set<int> gap_waits;                 // children whose next event comes after a gap
    std::set<Sequence> owed;                 // neither Offered nor Withheld yet
    std::vector<AckAhead> acks_ahead;        // of what had not been delivered
    std::uint64_t outages = 0;
    std::uint64_t sessions = 0;
    std::uint64_t acks = 0;
  };
  /// What one connection was given under one name.
  struct Attachment {
    bool subscribed = false;  // Subscribed has left
    std::uint64_t credit = 0;
    std::uint64_t sent = 0;
    std::map<Sequence, std::uint32_t> in_flight;  // attempt
  };
  /// A stream of history that somebody asked for.
  struct Replay {
    std::optional<Reader> reader;  // nullopt: whoever asked may not in this role
    Wants wants;
    int child = 0;  // 0: all
    Sequence first = 0;
    Sequence last = 0;  // 0: the ledger's end
    bool preview = false;
    std::string reason;
    Sequence head = 0;  // what was synced when it was asked for
    int streams = 1;
    bool doubled = false;
    Sequence newest = 0;  // that was shown
    std::set<Sequence> shown;
    std::uint64_t matched = 0;
  };
  struct Connection {
    std::map<std::string, Attachment> attachments;
    std::map<std::uint64_t, std::size_t> published;  // number -> publication
    bool said_goodbye = false;
    std::map<std::uint64_t, Replay> replays;  // by number
    std::size_t erasures = 0;                 // asked for and not answered
  };
  /// A subscription that ends with its connection; by its name in the ledger.
  struct Watch {
    Reader reader;
    Wants wants;
    std::set<Sequence> offered;
    std::map<int, Sequence> newest;  // shown, by child
    std::uint64_t ended = 0;         // when; 0: it goes on
  };
  /// Where an operator wants a cursor to be.
  struct Ask {
    wire::Position position = wire::Position::unknown;
    Sequence sequence = 0;
    std::int64_t at = 0;
  };
  /// What the hub holds of one child.
  struct Record {
    int child = 0;
    KeyId key;
    std::vector<Sequence> events;
  };
  /// What was refused, kept as it came.
  struct Message {
    int child = 0;  // 0: it names none
    KeyId key;
    bool erased = false;
  };
  struct EraseAsk {
    std::string person;
    bool preview = false;
  };
  struct Destruction {
    Sequence at = 0;
    Sequence newest = 0;  // of its records
    std::set<PersonKey> people;
    std::set<KeyId> keys;
    std::uint64_t events = 0;
    std::uint64_t refusals = 0;
    std::set<PersonKey> found_people;
    std::set<KeyId> found_keys;
  };
  struct ErasureRead {
    std::set<KeyId> keys;
    std::set<PersonKey> first;  // the one whom it names
  };
  struct Kept {
    const Publication* publication = nullptr;
    std::int64_t appended_at = 0;
    Sequence erased = 0;  // the entry that did it
  };
  using Event = std::pair<const Sequence, Kept>;

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
  void check_view(const std::string& what, const Reader& reader, int policy, const Publication& publication,
                  const wire::Delivery& delivery);
  void sent_handled(const std::string& agency, const wire::Handled& frame);

  // What makes its receiver fall over (model_losses.cpp)
  void session_lost(const std::string& name, const Attachment& attachment);
  void blamed(const Book& book, Line& line, const std::string& what);

  // Watches and replays (model_streams.cpp)
  void took_watch(Serial serial, const std::string& agency, const wire::Subscribe& frame);
  void took_replay(Connection& connection, const std::string& agency, const wire::Replay& frame);
  void watches_end(Serial serial, const std::string& label);
  void sent_to_watch(Watch& watch, Attachment& attachment, const wire::Deliver& frame, bool late);
  void sent_replayed(Connection& connection, const wire::Replayed& frame, bool late);
  void sent_again(Replay& replay, const wire::Delivery& delivery);
  void replay_ended(const Replay& replay, bool late);
  void read_watch_offered(const ledger::Offered& entry);
  void read_access(const ledger::Access& entry);

  // Whose entry an event is (model_records.cpp)
  void read_record(Sequence sequence, const Publication& publication, const ledger::EventEntry& entry);

  // What an erasure takes (model_erasures.cpp)
  void took_erase(Connection& connection, const std::string& agency, const wire::Erase& frame);
  void sent_erased(Connection& connection, const std::string& agency, const wire::Erased& frame);
  void read_erasure(Sequence at, const ledger::Erasure& entry);
  void read_complete(Sequence at, const std::set<KeyId>& keys);
  std::set<int> linked_with(int child) const;
  std::optional<Destruction> due_to_go(const std::string& person) const;
  void end_destruction();
  void forget(Sequence at, const Record& record);
  bool is_erased(Sequence sequence, const std::string& what);
  /// One may be decided that is not on record yet.
  bool erasing() const;

  // Entries (model_ledger.cpp)
  void read_entry(Sequence sequence, std::int64_t appended_at, const ledger::Body& body);
  void read_event(Sequence sequence, std::int64_t appended_at, const ledger::EventEntry& entry);
  void read_refusal(Sequence sequence, const ledger::Refusal& entry);
  void read_offered(Sequence at, const ledger::Offered& entry);
  void read_withheld(Sequence at, const ledger::Withheld& entry);
  void read_acked(Sequence at, const ledger::Acked& entry);
  void read_nacked(const ledger::Nacked& entry);
  void read_dead_letter(Sequence at, const ledger::DeadLetter& entry);
  void read_policy(Sequence at, const ledger::PolicyChanged& entry);
  void read_operator_action(Sequence at, const ledger::OperatorAction& entry);
  void read_first_offered(Sequence at, const Interest& interest, Sequence sequence,
                          const ledger::Offered& entry);
  void settle(Sequence at, Book& book, Line& line, Sequence sequence);
  /// The child's next delivery is marked; where there is none yet, the one that comes will be.
  void leave_gap(Book& book, int child, Sequence sequence);
  void end_batch();
  Line* line_of(const flatbuffers::String* subscription, Sequence sequence, const char* what);
  Book* book_of(const flatbuffers::String* subscription);

  // What becomes of a subscription (model_courses.cpp)
  void read_changed(Sequence at, const ledger::SubscriptionChanged& entry);
  void subscription_created(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry);
  void subscription_removed(const Interest& interest, const ledger::SubscriptionChanged& entry);
  void cursor_reset(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry);
  void skipped(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry);
  void advanced(Sequence at, const Interest& interest, const ledger::SubscriptionChanged& entry);
  void check_start(Sequence at, const Interest& interest, Sequence start);
  void check_looked_at(const Interest& interest, Sequence from, Sequence until);
  Sequence first_since(std::int64_t at, Sequence through) const;

  static bool looks_at(const Book& book, Sequence sequence) {
    return book.next != 0 && sequence >= book.next && (book.through == 0 || sequence <= book.through);
  }
  Due due(const Interest& interest, const Publication& publication) const;
  int policy_of(Sequence version) const;
  std::uint32_t attempts_max(const Book& book) const;
  bool synced(Sequence sequence) const { return sequence <= read_through_; }
  void broken(const char* promise, const std::string& how) { verdict_.broken(promise, how); }

  Verdict& verdict_;
  const Hub* hub_ = nullptr;
  std::deque<Publication> publications_;
  std::map<std::string, std::size_t> by_bytes_;
  std::map<Sequence, Kept> kept_;
  std::map<std::size_t, Sequence> entry_of_;
  std::map<PersonKey, Record> records_;
  std::map<int, PersonKey> record_of_;  // by child
  std::map<Sequence, Message> refused_;
  std::set<KeyId> keys_used_;
  std::map<std::string, EraseAsk> erase_asks_;    // by reason
  std::map<Sequence, ErasureRead> erasures_;      // entries that name keys
  std::optional<Destruction> destruction_;        // being read
  std::map<Sequence, Destruction> destructions_;  // by their first record
  std::set<std::set<KeyId>> complete_;
  std::set<KeyId> erased_keys_;
  bool erasures_adrift_ = false;  // whoever asked for one is gone
  std::set<Sequence> refusals_;
  std::map<std::size_t, Sequence> receipts_;  // what was said, by publication
  std::array<Book, kInterests> books_;
  std::map<Serial, Connection> connections_;
  std::vector<Unexplained> unexplained_;                  // acked before they were seen to leave
  std::vector<std::pair<std::size_t, Sequence>> doomed_;  // failed often enough in this batch
  std::map<Sequence, int> policies_;                      // by version
  std::vector<std::int64_t> appended_;                    // when, by entry
  std::set<Sequence> operators_entries_;
  std::map<std::string, Ask> asks_;  // by reason
  std::map<std::string, Watch> watches_;
  std::set<std::string> accesses_;                    // by reason
  std::map<std::size_t, std::uint64_t> first_taken_;  // of a publication
  std::uint64_t frames_taken_ = 0;
  Setup setup_;
  Sequence read_through_ = 0;
  KeyId read_key_;  // of the entry that is being read
  std::int64_t newest_at_ = 0;
  bool uncertain_ = false;
};

}  // namespace carehub::simulation
