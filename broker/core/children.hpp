#pragma once

#include <deque>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>

#include "broker/core/disclosure.hpp"
#include "broker/core/state_reader.hpp"
#include "broker/core/suspicion.hpp"

namespace carehub::core {

/// A delivery that waits for its turn.
struct Waiting {
  Pending pending;
  std::shared_ptr<const View> view;    // null: read it back when its turn comes
  bool left = false;                   // this attempt has been sent: the next one needs an Offered of its own
  std::uint64_t acks_at_send = 0;      // the subscription's acks when this attempt was sent
  std::uint64_t acks_at_previous = 0;  // and when the one before it was
  std::uint64_t openings_at_send = 0;  // the breaker's, likewise
  std::uint64_t openings_at_previous = 0;
  Suspicion suspicion;

  /// An attempt is sent: how often the subscription was acked and the breaker opened so far.
  void sent(std::uint64_t acks, std::uint64_t openings) {
    acks_at_previous = left ? acks_at_send : acks;
    acks_at_send = acks;
    openings_at_previous = left ? openings_at_send : openings;
    openings_at_send = openings;
    left = true;
  }
};

/// Who may go next: order for each child, the urgent first among children that are ready, then the oldest.
/// Holds a bounded part of what waits. For each child it holds a prefix of what the child has pending, so
/// that nothing can be overtaken; what it left on disk is asked for again through wanted().
class Children {
 public:
  /// The most of one child's deliveries that are held.
  static constexpr std::size_t kOfOneChildMax = 64;

  /// Takes one in, in sequence order; what is held already is left alone.
  void add(Waiting waiting);

  /// Whose delivery take() would give. One that is suspected has its turn among the others once these were
  /// taken since its loss, and else when there are no others: `acks` tells, the subscription's so far.
  enum class Next : std::uint8_t { nobody, ordinary, suspected };
  Next next(std::uint64_t acks, bool probe) const;
  /// The next delivery of a ready child, which is then busy until settled() or given_back(). `probe`: the
  /// least suspected one with the fewest attempts among the first ready ones: it must not hang on one bad
  /// event.
  std::optional<Waiting> take(std::uint64_t acks, bool probe);

  /// The busy child's delivery is over.
  void settled(const PersonKey& person);
  /// The busy child's delivery comes back to the front; not to be taken before `not_before`. A child that has
  /// to wait is parked: what else it has is left on disk.
  void given_back(Waiting waiting, Timestamp not_before, Timestamp now);

  /// Children whose wait is over become ready.
  void wake(Timestamp now);
  std::optional<Timestamp> next_wake() const;

  /// Children of whom nothing is held but something is on disk, and after which sequence it goes on.
  std::vector<std::pair<PersonKey, Sequence>> take_wanted();
  /// What was found on disk for such a child; `more`: there is still more.
  void refill(const PersonKey& person, std::vector<Waiting> found, bool more);

  /// Forgets what has not been sent once: it is on disk. Views are let go.
  void trim();
  /// Lets go of everything of this child, busy or not.
  void forget(const PersonKey& person);
  /// Whether a child is not busy and this is its next delivery.
  bool has_head(const PersonKey& person, Sequence sequence) const;
  /// Takes such a head away: it was answered after its time.
  void drop_head(const PersonKey& person);

  std::size_t held() const { return held_; }

 private:
  // Falls where it is suspected and else 0, urgency, sequence: those that are suspected stand at the end.
  using Turn = std::tuple<std::uint32_t, std::uint8_t, Sequence, PersonKey>;
  struct Child {
    std::deque<Waiting> waiting;
    bool busy = false;
    bool more_on_disk = false;
    Sequence disk_after = 0;
    std::optional<Turn> turn;          // its place in ready_
    std::optional<Timestamp> wake_at;  // its place in parked_
  };
  using Map = std::unordered_map<PersonKey, Child>;

  std::set<Turn>::const_iterator choose(std::uint64_t acks, bool probe) const;
  void leave_on_disk(Child& child, std::size_t keep);
  void unqueue(const PersonKey& person, Child& child);
  void queue(const PersonKey& person, Child& child);
  void settle(Map::iterator child);

  Map children_;
  std::set<Turn> ready_;
  std::set<std::pair<Timestamp, PersonKey>> parked_;
  std::vector<PersonKey> wanted_;
  std::size_t held_ = 0;
};

}  // namespace carehub::core
