#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/base/wire_frame.hpp"
#include "tests/simulation/county.hpp"
#include "tests/simulation/network.hpp"

namespace carehub::simulation {

/// A client's end of the wire: Hello, heartbeats, and another connection when this one is gone or silent.
class Session {
 public:
  Session(std::string agency, Network& network, fakes::HandClock& clock);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes what has come, and says what there is to say.
  void turn(Dice& dice);
  /// Hangs up or dies: what it had of this connection is gone. It is back soon.
  void leave(Dice& dice);
  /// Does not come back until it may.
  void stay_away(bool away) { away_ = away; }
  bool welcomed() const { return welcomed_; }
  std::optional<LinkId> link() const { return link_; }
  const std::string& agency() const { return agency_; }

  template <class Message>
  void say(Message message) {
    say_bytes(frame_bytes(std::move(message)));
  }
  void say_bytes(Bytes bytes);

 protected:
  virtual void on_welcome(Dice& dice) = 0;
  virtual void on_frame(const wire::Frame& frame, Dice& dice) = 0;
  virtual void on_turn(Dice& dice) = 0;
  virtual void on_lost() = 0;
  virtual Sequence last_receipt() const { return 0; }
  /// Whatever its connection is like.
  virtual void on_any_turn(Dice&) {}
  /// The connection is gone. It is back soon.
  void drop(Dice& dice);
  /// Begins another connection; this one goes on living, and is the caller's now.
  std::optional<LinkId> step_aside();
  Network& network_;
  fakes::HandClock& clock_;

 private:
  void connect();

  std::string agency_;
  std::optional<LinkId> link_;
  bool welcomed_ = false;
  bool away_ = false;
  std::int64_t heard_us_ = 0;
  std::int64_t said_us_ = 0;
  std::int64_t not_before_us_ = 0;
};

/// Publishes, keeps what has no outcome yet, and says it again on the next connection.
class Publisher final : public Session {
 public:
  Publisher(int number, Network& network, fakes::HandClock& clock);

  void publish(const Publication& publication);
  /// Everything that it ever said, or a part of it, as if no outcome had come.
  void come_back_with_old_state(Dice& dice);
  /// Without an outcome yet.
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t said() const { return ever_.size(); }
  /// Says all of it again: each must have the outcome that it had.
  void repeat_all();

 private:
  void on_welcome(Dice& dice) override;
  void on_frame(const wire::Frame& frame, Dice& dice) override;
  void on_turn(Dice& dice) override;
  void on_lost() override { forget_what_was_said(); }
  void forget_what_was_said();
  Sequence last_receipt() const override { return last_receipt_; }

  struct Item {
    std::uint64_t number;
    const Publication* publication;
    bool said = false;  // on this connection, and not to be said again
  };
  int number_;
  std::uint64_t last_number_ = 0;
  std::vector<const Publication*> ever_;
  std::deque<Item> waiting_;
  std::int64_t said_last_us_ = 0;
  std::int64_t again_us_ = 0;  // nothing is said before: the hub was overloaded
  Sequence last_receipt_ = 0;
};

/// How its receiver is.
enum class Mood : std::uint8_t { well, unavailable, failing, silent };

/// Of so many deliveries a subscriber remembers what it said.
constexpr std::size_t kRememberedMax = 24;

/// Reads one subscription.
class Subscriber final : public Session {
 public:
  Subscriber(const Interest& interest, Network& network, fakes::HandClock& clock,
             const std::deque<Publication>& publications);

  const Interest& interest() const { return interest_; }
  void feel(Mood mood) { mood_ = mood; }
  Mood mood() const { return mood_; }
  void want(std::uint32_t credit) { credit_ = credit; }
  /// At most so many a minute from its next connection on; 0: as many as come.
  void want_rate(std::uint32_t per_minute) { next_rate_ = per_minute; }
  bool has_taken(const std::string& stream, Sequence sequence) const {
    return taken_.contains({stream, sequence});
  }

  /// Is back on another connection, with what it remembers of this one; or this one lives on beside it.
  void come_back_with_old_state(Dice& dice);
  /// All is well: nothing of former connections is left.
  void forget_old_state(Dice& dice);

  /// Another filter, the next time that it subscribes.
  void want_other() { wants_ = (wants_ + 1) % interest_.wants.size(); }

  // What only a liar does.
  void ack_all();
  void ask_for_everything();
  void unsubscribe();

 private:
  void on_welcome(Dice& dice) override;
  void on_frame(const wire::Frame& frame, Dice& dice) override;
  void on_turn(Dice& dice) override;
  void on_lost() override;
  void on_any_turn(Dice& dice) override;
  void answer(std::size_t which, Dice& dice);
  Taste taste_of(const std::string& id);

  struct Shown {
    Sequence sequence;
    std::string id;
    std::string stream;  // the subscription, or a replay into it
  };
  /// What it was shown on a connection before.
  struct Former {
    Shown shown;
    bool answered = false;
    bool taken = false;
  };

  // What it remembers (old_state.cpp)
  void remember(const Former& former);
  void say_old(Dice& dice);
  void answer_old(Former former, Dice& dice);
  void say_there(Bytes bytes, Dice& dice);
  void hear_former_link();

  const Interest& interest_;
  const std::deque<Publication>& publications_;
  std::size_t wants_ = 0;
  std::map<std::string, Taste> tastes_;
  std::size_t tastes_known_ = 0;
  std::vector<Shown> shown_;                          // not answered yet
  std::set<std::pair<std::string, Sequence>> taken_;  // on its disk
  Mood mood_ = Mood::well;
  std::uint32_t credit_ = 16;
  std::uint32_t rate_ = 0;
  std::uint32_t next_rate_ = 0;
  std::map<std::string, std::uint32_t> to_return_;  // credit, by stream
  std::int64_t retry_us_ = 0;
  bool subscribed_ = false;
  bool resubscribe_ = false;
  bool falls_ = false;           // over what it was just shown
  std::deque<Former> answered_;  // the newest on this connection
  std::deque<Former> former_;    // of connections before
  std::map<std::string, std::uint32_t> former_credit_;
  std::optional<LinkId> former_link_;  // that still lives
};

}  // namespace carehub::simulation
