#pragma once

// Long because: one model follows every promise, and its parts share what they have seen.

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "schemas/ledger_generated.h"
#include "tests/simulation/county.hpp"
#include "tests/simulation/hub.hpp"
#include "tests/simulation/pace.hpp"

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
  Model(Verdict& verdict, const Clock& clock) : verdict_(verdict), clock_(clock) {}

  /// The ledger and its keys are read from here on.
  void watch(const Hub& hub) { hub_ = &hub; }

  Publication& add(Publication publication);
  /// An operator says that it stands in for a dead letter.
  Publication& add_mend(Publication publication, const Interest& interest, Sequence dead);
  const Publication* publication_at(Sequence sequence) const;
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
  /// The hub does a step. `all_has_left`: once it has sent what is synced, nothing that it decided is with
  /// it.
  void hub_steps(bool all_has_left) { all_has_left_ = all_has_left; }
  /// The hub has done a step and is still there.
  void hub_stepped();
  /// Nothing that was decided before now is held back any more.
  void nothing_held_back() { decided_us_ = clock_.steady_us(); }
  /// Reads what is synced by now; the last of it ends a batch.
  void read_ledger();

  /// A receiver failed everything for a while: who did so for many events is not to blame them for it.
  void outage(const Interest& interest);
  /// Answers may have been swapped or doubled: what a subscriber said and when is not certain.
  void answers_uncertain() { uncertain_ = true; }
  void wall_clock_set();

  /// Deliveries of a subscription that are neither acked nor given up.
  std::size_t open(const Interest& interest) const;
  /// Those among them that their receiver does not like.
  std::size_t stuck(const Interest& interest) const;
  /// Each child waits behind an event that its receiver does not like, and nothing else is left to be taken.
  bool waits_for_ever(const Interest& replay) const;
  std::vector<Sequence> acked(const Interest& interest) const;
  bool exists(const Interest& interest) const { return book_for(interest).since != 0; }
  bool paused(const Interest& interest) const { return book_for(interest).paused; }
  /// Replays into subscriptions that have not ended.
  std::vector<const Interest*> replays() const;
  std::vector<const Interest*> every_replay() const;
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
  /// A wait that a receiver asked for, and when.
  struct Asked {
    std::int64_t at_us = 0;
    std::int64_t wait_us = 0;
  };
  /// One event for one subscription.
  struct Line {
    int child = 0;
    const Publication* publication = nullptr;
    std::uint32_t attempt = 0;  // of the newest Offered; 0: none yet
    std::uint32_t counted = 0;
    std::uint32_t sent_attempt = 0;  // the highest that left
    std::uint32_t old_noes = 0;      // that it was answered of late, by who remembered it
    std::uint64_t outages_before = 0;
    std::uint32_t losses = 0;           // sessions in a row that were lost with it in flight
    std::uint32_t uncounted = 0;        // of these, in a row, while others were taken
    std::uint32_t blames = 0;           // that were counted
    std::uint32_t unavailable = 0;      // answers in a row, by the ledger
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
    Sequence offered_at = 0;  // the entry that offered it first, in this life
    Asked not_before;         // before the next attempt
  };
  /// What was said of events on one connection.
  struct Answer {
    Serial serial = 0;
    std::uint64_t session = 0;          // of its connection, by what that had asked for by then
    std::optional<ledger::NakKind> no;  // nullopt: an ack
    Sequence first = 0;
    Sequence last = 0;
    Asked asks;                       // to be left alone
    Sequence after = 0;               // what was decided when it came in,
    std::optional<Sequence> through;  // and once it was handled
  };
  /// The hub took an answer to what has not been seen to leave.
  struct Unexplained {
    const Interest* interest = nullptr;
    Sequence sequence = 0;
    std::uint32_t attempt = 0;
    std::vector<Answer> answers;  // one of these
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
    std::vector<Answer> answers;             // that may have an effect yet
    std::uint64_t outages = 0;
    std::vector<Sequence> sessions;  // of each Subscribe, the newest entry that was decided before it
    std::uint64_t acks = 0;
    Pace pace;
    Asked asked;  // by its receiver as a whole
  };
  /// To subscribe; not answered yet.
  struct Wish {
    std::uint64_t session = 0;
    std::uint64_t credit = 0;  // with what was granted since
    std::uint32_t rate_per_minute = 0;
    bool watch = false;  // of its own, though it be named like a subscription
  };
  /// A delivery that left and is not answered.
  struct Shown {
    std::uint64_t session = 0;
    std::uint32_t attempt = 0;
    bool overdue = false;  // an ack of it still counts, and a no does not
  };
  /// What one connection was given under one name.
  struct Attachment {
    bool subscribed = false;  // Subscribed has left
    Sequence since = 0;       // what was synced then
    std::deque<Wish> wishes;
    std::uint64_t said = 0;     // Subscribes and Unsubscribes that were taken
    std::uint64_t session = 0;  // `said` as of the Subscribe that holds
    std::uint32_t rate_per_minute = 0;
    std::uint64_t credit = 0;  // of this session
    std::uint64_t early = 0;   // granted to a replay before its subscription's Subscribed has left
    std::uint64_t sent = 0;
    std::map<Sequence, std::uint32_t> in_flight;  // attempt
    std::map<Sequence, Shown> shown;
  };
  /// A part of history that goes once more to a subscription's receiver.
  struct ReplayInto {
    Interest interest{};
    Book book;
    std::size_t into = 0;
    Wants wants;
    std::optional<PersonKey> person;
    std::uint32_t rate_per_minute = 0;
    bool stops = false;
    bool over = false;
  };
  /// What an operator asked for.
  struct AskReplayInto {
    std::string into;
    Wants wants;
    int child = 0;
    Sequence first = 0;
    Sequence last = 0;
    std::int64_t first_at = 0;
    std::uint32_t rate_per_minute = 0;
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
  /// What a publisher was told to say again, on one connection.
  struct PushedBack {
    std::set<std::uint64_t> numbers;  // have not come again
    std::int64_t since_us = 0;
    bool unknown = false;  // whether it has come again
  };
  struct Connection {
    Serial serial = 0;
    std::map<std::string, Attachment> attachments;
    std::map<std::uint64_t, std::size_t> published;  // number -> publication
    PushedBack pushed_back;
    bool welcomed = false;
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
    PersonKey person;     // as the ledger has it
    Sequence erased = 0;  // the entry that did it
  };
  using Event = std::pair<const Sequence, Kept>;
  /// What was said on consent.
  struct Word {
    Sequence entry = 0;
    std::int64_t said_at = 0;
    bool refused = false;
  };

  // Frames (model_frames.cpp)
  void took_publish(Connection& connection, const wire::Publish& frame);
  void sent_published(Connection& connection, const wire::Published& frame, bool late);
  void sent_outcome(const Publication& publication, const wire::PublishOutcome& outcome);
  void sent_deliver(Connection& connection, const std::string& agency, const wire::Deliver& frame, bool late);
  void sent_delivery(const Interest& interest, Connection& connection, const wire::Delivery& delivery,
                     bool late);
  void check_turn(const Interest& interest, const Line& line, const wire::Delivery& delivery);
  void check_view(const std::string& what, const Reader& reader, int policy, const Publication& publication,
                  const wire::Delivery& delivery);
  void sent_handled(const std::string& agency, const wire::Handled& frame);

  // What readers say, and what comes of it (model_answers.cpp)
  void took_subscribe(Connection& connection, const std::string& agency, const wire::Subscribe& frame);
  void took_unsubscribe(Connection& connection, const wire::Unsubscribe& frame);
  void took_credit(Connection& connection, const wire::Credit& frame);
  void took_ack(Connection& connection, const std::string& agency, const wire::Ack& frame);
  void took_nak(Connection& connection, const std::string& agency, const wire::Nak& frame);
  void took_answer(Book& book, const Connection& connection, const Interest& interest, Answer answer);
  void sent_subscribed(Connection& connection, const wire::Subscribed& frame);
  void sent_rejected(Connection& connection, const wire::Rejected& frame);
  void shown_on(Connection& connection, const Interest& interest, const wire::Delivery& delivery);
  bool is_nobodys(const Connection& connection, const std::string& name) const;
  bool is_idle(const Connection& connection, const Interest& interest, Sequence first, Sequence last) const;
  bool explain(const Interest& interest, Sequence sequence, std::optional<ledger::NakKind> no, Sequence at);
  bool is_explained(const Unexplained& taken);
  void no_answer_came(const Interest& interest, Sequence sequence);
  void land(const Interest& interest, Sequence sequence, std::uint32_t attempt);
  void check_answers();

  // What stands in for a dead letter (model_mending.cpp)
  void read_mended(Sequence sequence, const Publication& publication, const ledger::EventEntry& entry);
  void mended(const ledger::OperatorAction& entry, Line& dead);
  void check_mended_turn(const Book& book, const Line& line, Sequence sequence);

  // A disk that is behind (model_overload.cpp)
  void check_order(Connection& connection, const wire::PublishOutcome& outcome, bool late);

  // How fast, who first, and not before when (model_pace.cpp)
  double speed() const;
  bool too_early(const Asked& asked) const;
  std::uint32_t rate_of(std::size_t interest, const Attachment& attachment) const;
  bool is_in_pace(const Interest& interest, const Connection& connection);
  void check_pace(const Interest& interest, const Connection& connection, const Line& line,
                  Sequence sequence);
  void check_precedence(const Interest& interest, const Attachment& attachment, const Line& line,
                        Sequence sequence);
  static void answer_taken(Book& book, Line& line, const Answer& answer);

  // What makes its receiver fall over (model_losses.cpp)
  void session_lost(const Connection& connection, const std::string& name, bool taken_over);
  void blamed(const Book& book, Line& line, const std::string& what);
  void felled(const Book& book, Line& line, const std::string& what);

  // Replays into subscriptions (model_replays.cpp)
  void took_replay_into(const wire::Replay& frame);
  void attach_replays(Connection& connection, const std::string& name);
  void taken_over(Connection& connection, const std::string& name);
  bool is_replays_turn(const Interest& interest, const wire::Delivery& delivery);
  void replay_offers(Sequence at, ReplayInto& replay, Sequence sequence, const ledger::Offered& entry);
  Due due(const ReplayInto& replay, Sequence sequence, Sequence through) const;
  void read_replay_changed(Sequence at, const ledger::SubscriptionChanged& entry);
  void replay_created(Sequence at, const ledger::SubscriptionChanged& entry);
  void replay_advanced(Sequence at, ReplayInto& replay, const ledger::SubscriptionChanged& entry);
  void replay_skipped(Sequence at, ReplayInto& replay, const ledger::SubscriptionChanged& entry);
  void replay_removed(ReplayInto& replay, const std::string& by);
  void check_replays();
  const Interest* interest_of(const std::string& name) const;
  const Book& book_for(const Interest& interest) const {
    return interest.replay ? replays_into_.find(interest.name)->second.book : books_[interest.number];
  }
  Book& book_for(const Interest& interest) {
    return interest.replay ? replays_into_.find(interest.name)->second.book : books_[interest.number];
  }

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
  static void forget_in(Sequence at, Book& book, Sequence sequence);
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
  void read_nacked(Sequence at, const ledger::Nacked& entry);
  void read_dead_letter(Sequence at, const ledger::DeadLetter& entry);
  void read_policy(Sequence at, const ledger::PolicyChanged& entry);
  void read_operator_action(Sequence at, const ledger::OperatorAction& entry);
  void read_first_offered(Sequence at, const Interest& interest, Sequence sequence,
                          const ledger::Offered& entry);
  void begin_life(Sequence at, Book& book, Sequence sequence, const ledger::Offered& entry);
  static void settle(Sequence at, Book& book, Line& line, Sequence sequence);
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
  Due due(const Interest& interest, Sequence sequence, Sequence through) const;
  bool refused(Sequence sequence, Sequence through) const;
  std::vector<Sequence> decisions_since(Sequence from, Sequence sequence) const;
  std::map<std::pair<int, int>, std::vector<std::pair<Sequence, bool>>> said_to_be_one() const;
  std::set<PersonKey> one_with(const PersonKey& person, Sequence through) const;
  void read_words(Sequence sequence, std::int64_t at, const Publication& publication);
  Due may_be_replayed(const Replay& replay, Sequence sequence) const;
  int policy_of(Sequence version) const;
  std::uint32_t attempts_max(const Book& book) const;
  bool synced(Sequence sequence) const { return sequence <= read_through_; }
  void broken(const char* promise, const std::string& how) { verdict_.broken(promise, how); }

  Verdict& verdict_;
  const Clock& clock_;
  std::int64_t decided_us_ = 0;  // nothing that has not left yet was decided before
  std::int64_t synced_us_ = 0;   // when the newest write was
  bool wall_clock_set_ = false;
  const Hub* hub_ = nullptr;
  std::deque<Publication> publications_;
  std::map<std::string, std::size_t> by_bytes_;
  std::map<Sequence, Kept> kept_;
  std::map<PersonKey, std::vector<Word>> words_;
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
  std::vector<Unexplained> unexplained_;
  std::vector<Serial> idle_;                        // said what has no effect, and is not handled yet
  std::uint64_t idle_counted_ = 0;                  // likewise, handled, since the hub's start
  std::uint64_t taken_since_start_ = 0;             // frames
  bool all_has_left_ = false;                       // whatever was decided, at this step's beginning
  std::map<std::string, ReplayInto> replays_into_;  // by name
  std::map<std::string, AskReplayInto> asks_into_;  // by reason
  std::vector<std::pair<const Interest*, Sequence>> doomed_;  // failed often enough in this batch
  std::map<Sequence, int> policies_;                          // by version
  std::vector<std::int64_t> appended_;                        // when, by entry
  std::set<Sequence> operators_entries_;
  std::set<Sequence> mends_begun_;   // whose OperatorAction has not been read
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
